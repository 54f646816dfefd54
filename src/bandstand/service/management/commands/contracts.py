"""`manage.py contracts write|check`: the documents this service is held to."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bandstand.service import contracts

__all__ = ["Command"]


class Command(BaseCommand):
    """Write the service's contracts, or tell where they and the code disagree."""

    help = "Write this service's OpenAPI document and event schemas, or compare them with the committed ones."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("action", choices=["write", "check"])
        parser.add_argument("--folder", type=Path, default=Path("contracts"), help="where the contracts are kept")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it; `check` fails with one line for each disagreement."""
        if options["action"] == "write":
            for path in contracts.write(options["folder"]):
                self.stdout.write(str(options["folder"] / path))
            return
        drifts = contracts.compare(options["folder"])
        if drifts:
            raise CommandError("\n".join(map(str, drifts)))
