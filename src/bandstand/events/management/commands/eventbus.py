"""`manage.py eventbus groups|forget`: who listens to what, how far behind, and who no longer should."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from bandstand.config import ConfigurationError
from bandstand.events.backends import BusUnavailable, current_bus


class Command(BaseCommand):
    """Look at the consumer groups of the bus."""

    help = "List the consumer groups of the bus with their lag, or forget one that is retired."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the subcommands."""
        actions = parser.add_subparsers(dest="action", required=True)
        groups = actions.add_parser("groups", help="every group, its types and its lag")
        groups.add_argument("--json", action="store_true")
        forgetting = actions.add_parser("forget", help="let the bus drop what only this retired group still holds")
        forgetting.add_argument("group")

    def handle(self, *_: Any, **options: Any) -> None:
        """Do it."""
        try:
            bus = current_bus()
            reports = bus.groups()
            if options["action"] == "forget":
                if options["group"] not in {report.name for report in reports}:
                    raise CommandError(f"there is no group {options['group']!r}")
                bus.register(options["group"], (), from_beginning=True)
                self.stdout.write(f"{options['group']} is forgotten")
                return
        except (BusUnavailable, ConfigurationError) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            facts = [{"name": each.name, "types": each.types, "lag": each.lag} for each in reports]
            self.stdout.write(json.dumps(facts))
            return
        for report in reports:
            self.stdout.write(f"{report.name}  lag {report.lag}  {' '.join(report.types)}")
