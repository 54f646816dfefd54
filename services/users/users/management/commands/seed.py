"""`manage.py seed`: the two people of the local shop."""

import json
from argparse import ArgumentParser
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from bandstand.config import identity
from users import commands, queries
from users.models import User


@dataclass(frozen=True, kw_only=True)
class _Person:
    id: UUID
    username: str
    password: str
    is_staff: bool = False

    @property
    def email(self) -> str:
        return f"{self.username}@example.com"


_PEOPLE = (
    _Person(id=UUID("01900000-0000-7000-8000-000000000001"), username="demo", password="demo-Passw0rd!"),
    _Person(
        id=UUID("01900000-0000-7000-8000-000000000002"), username="staff", password="staff-Passw0rd!", is_staff=True
    ),
)


class Command(BaseCommand):
    """Make the demo accounts; a second run changes nothing."""

    help = "Make demo@example.com and staff@example.com; refused in production."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--json", action="store_true", help="write JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make who is missing."""
        if identity().is_production:
            raise CommandError("the demo accounts belong to the local profile; production refuses them")
        made = [person.email for person in _PEOPLE if _make(person)]
        summary = {"users": len(_PEOPLE), "made": made}
        self.stdout.write(json.dumps(summary) if options["json"] else f"{len(made)} of {len(_PEOPLE)} users made")


def _make(person: _Person) -> bool:
    if queries.has_address(person.email):  # a demo account that was deleted stays deleted
        return False
    user = User(pk=person.id, username=person.username, email=person.email, is_staff=person.is_staff, is_verified=True)
    user.set_password(person.password)
    commands.register_user(user=user)
    return True
