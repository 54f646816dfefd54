"""`manage.py contracts write|check|facts`: the documents this service is held to."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError

from bandstand.service.contracts import facts
from bandstand.service.promises import review, write

__all__ = ["Command"]


class Command(BaseCommand):
    """Write the service's contracts, or tell where they and the code disagree."""

    help = "Write this service's OpenAPI document and event schemas, or compare them with the committed ones."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("action", choices=["write", "check", "facts"])
        parser.add_argument("--folder", type=Path, default=Path("contracts"), help="where the contracts are kept")
        parser.add_argument("--breaking", action="store_true", help="write: also what breaks a committed promise")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it; a broken promise fails, and so does `check` where anything differs."""
        own = facts()
        if options["action"] == "facts":  # for `bandstand contracts`, which asks every service
            self.stdout.write(msgspec.json.encode(own).decode())
            return
        found = review(options["folder"], [own])
        if options["action"] == "check":
            self._refuse([*found.broken, *found.misreads, *found.drifts])
            return
        self._refuse([] if options["breaking"] else found.broken)
        for path in write(options["folder"], [own]):
            self.stdout.write(str(options["folder"] / path))

    def _refuse(self, problems: list[Any]) -> None:
        if problems:
            raise CommandError("\n".join(map(str, problems)))
