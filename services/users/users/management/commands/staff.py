"""`manage.py staff grant|withdraw EMAIL`: who is staff is decided by who runs the service, never through its API."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from users import commands, queries


class Command(BaseCommand):
    """Grant or withdraw the role `staff`."""

    help = "Grant or withdraw the role staff; withdrawing ends the person's sessions."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("action", choices=["grant", "withdraw"])
        parser.add_argument("email", help="the person's address")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it."""
        user = queries.user_by_email(options["email"])
        if user is None:
            raise CommandError(f"nobody has the address {options['email']}")
        commands.set_staff(user_id=user.pk, staff=options["action"] == "grant")
        self.stdout.write(f"{user.email} is {'' if options['action'] == 'grant' else 'no longer '}staff")
