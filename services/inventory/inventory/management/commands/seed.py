"""`manage.py seed`: the stock of the demonstration catalogue."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

import msgspec
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from bandstand.config import identity
from inventory.commands import adjust_stock, open_stock

__all__ = ["Command"]

_PLENTY = 1_000_000
_SCARCE = {49: 0, 50: 1}


def _product_id(number: int) -> UUID:
    # The catalogue's seed makes its ids by the same rule. Written down twice on purpose: services share no code, and
    # knowing the ids lets this command run before as well as after products' events arrive.
    return UUID(f"019b76da-a800-7000-8000-{number:012d}")


class Command(BaseCommand):
    """Give SKU-0001 to SKU-0050 their first stock, once: a second run changes nothing, whatever was sold since."""

    help = __doc__ or ""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add `--json`."""
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *_: Any, **options: Any) -> None:
        """Seed in one transaction. Refused in production."""
        if identity().is_production:
            raise CommandError("demonstration data is not loaded in production (SERVICE_ENVIRONMENT)")
        with transaction.atomic():
            opened = sum(_seed(number) for number in range(1, 51))
        result = {"products": 50, "opened": opened}
        self.stdout.write(msgspec.json.encode(result).decode() if options["json"] else f"stock of {result['products']}")


def _seed(number: int) -> bool:
    sku = f"SKU-{number:04d}"
    opened = open_stock(product_id=_product_id(number), sku=sku)
    quantity = _SCARCE.get(number, _PLENTY)
    if quantity:
        adjust_stock(product_id=_product_id(number), delta=quantity, reason="seed", marker=f"seed:{sku}")
    return opened
