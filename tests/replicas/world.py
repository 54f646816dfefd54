"""A replica of what a service `atlas` knows of cities, and its events as they come off the bus."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

from django.db import models

from bandstand.events import Envelope
from bandstand.events.backends import Message
from bandstand.replicas import Replica

_ATLAS = UUID(int=7)


class City(Replica):
    """What this service needs of a city."""

    city_id = models.UUIDField(primary_key=True)
    name = models.CharField(max_length=100)
    mayor = models.CharField(max_length=100, null=True)  # noqa: DJ001 - an event may lack it
    population = models.BigIntegerField(default=0)
    country = models.CharField(max_length=2)

    class Meta:
        app_label = "project"

    class Source:
        """Where it comes from."""

        kept_by = ("atlas.city_founded.v1", "atlas.city_changed.v1")
        removed_by = ("atlas.city_razed.v1",)
        fields = {"country": "place.country"}


class Member(Replica):
    """Whether somebody may come in: the events say who, and mean the rest."""

    member_id = models.CharField(max_length=20, primary_key=True)
    email = models.EmailField()
    is_active = models.BooleanField()

    class Meta:
        app_label = "project"

    class Source:
        """The users of a service `club`."""

        kept_by = {
            "club.member_joined.v1": {"is_active": True},
            "club.member_barred.v1": {"is_active": False},
        }
        group = "members"


def city_id(name: str) -> UUID:
    return uuid5(_ATLAS, name)


def told(fact: str, key: str, sequence: int, **data: Any) -> Message:
    """An event of atlas about the city that began as *key*."""
    envelope = Envelope(
        id=uuid4(),
        type=f"atlas.city_{fact}.v1",
        source="atlas",
        subject=str(city_id(key)),
        time=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=sequence),
        data=json.dumps({"city_id": str(city_id(key)), **data}).encode(),
        sequence=sequence,
    )
    body = envelope.encoded().decode()
    return Message(event_id=str(envelope.id), type=envelope.type, subject=envelope.subject, body=body)


def state(name: str, **more: Any) -> dict[str, Any]:
    """The fields of a city in an event."""
    return {"name": name, "place": {"country": "FR", "river": "Seine"}, **more}


def row(key: str, name: str, population: int = 0) -> City:
    """A city as the API of atlas shows it."""
    return City(city_id=city_id(key), name=name, population=population, country="FR")
