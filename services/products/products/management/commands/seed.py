"""`manage.py seed`: the demonstration catalogue."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

import msgspec
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from bandstand.config import identity
from products.commands import Content, create_product
from products.models import Product

__all__ = ["Command"]

_NAMES = (
    """
Acoustic Guitar|Electric Guitar|Bass Guitar|Upright Bass|Violin|Viola|Cello|Mandolin|Banjo|Ukulele
Grand Piano|Stage Piano|Synthesizer|Accordion|Harmonica|Melodica|Drum Kit|Snare Drum|Cajon|Tambourine
Trumpet|Trombone|French Horn|Tuba|Alto Saxophone|Tenor Saxophone|Clarinet|Flute|Oboe|Bassoon
Guitar Amplifier|Bass Amplifier|Stage Monitor|Mixing Desk|Microphone|Microphone Stand|Headphones|Audio Interface
Guitar Strings|Plectrum Set|Guitar Strap|Capo|Metronome|Tuner|Music Stand|Sheet Music Folder
Drum Sticks|Rosin|Valve Oil|Golden Baton
""".replace("\n", "|")
    .strip("|")
    .split("|")
)


class Command(BaseCommand):
    """Add SKU-0001 to SKU-0050, once: a second run changes nothing."""

    help = __doc__ or ""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add `--json`."""
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *_: Any, **options: Any) -> None:
        """Seed in one transaction. Refused in production."""
        if identity().is_production:
            raise CommandError("demonstration data is not loaded in production (SERVICE_ENVIRONMENT)")
        with transaction.atomic():
            known = set(Product.objects.filter(pk__in=map(_product_id, range(1, 51))).values_list("pk", flat=True))
            missing = [number for number in range(1, 51) if _product_id(number) not in known]
            for number in missing:
                create_product(_content(number), product_id=_product_id(number))
        result = {"products": len(_NAMES), "created": len(missing)}
        self.stdout.write(msgspec.json.encode(result).decode() if options["json"] else f"{len(missing)} products added")


def _product_id(number: int) -> UUID:
    # A UUIDv7 of 2026-01-01 whose last digits are the number. Inventory's seed makes its ids by the same rule.
    return UUID(f"019b76da-a800-7000-8000-{number:012d}")


def _content(number: int) -> Content:
    name = _NAMES[number - 1]
    return Content(
        sku=f"SKU-{number:04d}",
        name=name,
        description=f"{name}, ready for the stage.",
        price_minor=1_999 + (number * 3_700) % 48_100,
        currency="EUR",
        is_featured=number % 7 == 1,
    )
