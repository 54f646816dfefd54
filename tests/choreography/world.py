"""A parcel's journey: handed over here, carried by `carrier`, and paid for by `insurer` where it is lost."""

from datetime import timedelta
from itertools import count
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import msgspec
from django.db import transaction

from bandstand import clock
from bandstand.config import identity, section
from bandstand.events import Envelope, Event, publish, registry
from bandstand.events.backends import Delivery, Message
from bandstand.events.config import EventsConfig
from bandstand.events.groups import group_of, groups
from bandstand.events.inbox import Inbox
from bandstand.sagas.choreography import Choreography, either, maybe, then
from bandstand.sagas.choreography.loop import WatchLoop
from bandstand.sagas.choreography.models import ChoreographyWatch
from bandstand.testing.clock import HeldClock

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def declare(*, locally: bool = True) -> SimpleNamespace:
    """Declare the events and the journey; what was declared before under the same names is replaced."""

    class ParcelSent(Event, name="project.parcel_sent.v1", subject="parcel"):
        parcel: str
        weight_grams: int

    class ParcelCollected(Event, name="carrier.parcel_collected.v1"):
        tracked: str
        van: str

    class ParcelDelivered(Event, name="carrier.parcel_delivered.v1"):
        parcel: str | None

    class ParcelLost(Event, name="carrier.parcel_lost.v1"):
        parcel: str

    class ParcelFound(Event, name="carrier.parcel_found.v1"):
        parcel: str

    class ClaimPaid(Event, name="insurer.claim_paid.v1"):
        parcel: str

    class ParcelJourney(Choreography):
        """A parcel arrives, or is paid for."""

        name = "parcel_journey"
        key = "parcel"
        starts_on = ParcelSent
        begins_locally = locally
        expects = (
            then(ParcelCollected, within=HOUR, key="tracked"),
            either(ParcelDelivered, (ParcelLost, maybe(ParcelFound), then(ClaimPaid, within=HOUR)), within=HOUR),
        )

    return SimpleNamespace(**{name: found for name, found in locals().items() if isinstance(found, type)})


class World:
    """The service that watches, its clock, and what the bus brings it."""

    def __init__(self, held: HeldClock, declared: SimpleNamespace) -> None:
        self.clock = held
        self.declared = declared
        self.journey: type[Choreography] = declared.ParcelJourney
        self._positions = count(1)
        self.loop = WatchLoop()

    def send(self, *parcels: str) -> None:
        """Publish, here and in one transaction, that parcels were sent."""
        with transaction.atomic(using=section(EventsConfig).database):
            for parcel in parcels:
                publish(self.declared.ParcelSent(parcel=parcel, weight_grams=10))

    def told(self, event: str, parcel: Any, *, field: str = "parcel", event_id: UUID | None = None) -> Message:
        """An event of another service, as it comes off the bus."""
        envelope = Envelope(
            id=event_id or uuid4(),
            type=event,
            source=event.partition(".")[0],
            subject="7",  # of some aggregate of the publisher, which is not the journey
            time=clock.now(),
            data=msgspec.json.encode({field: parcel, "van": "7", "noise": [1]}),
            correlation_id="corr-0001",
            sequence=1,
        )
        message = envelope.encoded().decode()
        return Message(event_id=str(envelope.id), type=event, subject=envelope.subject, body=message)

    def hear(self, *messages: Message) -> None:
        """Apply what came off the bus, in one transaction."""
        group = group_of("choreographies", groups())
        inbox = Inbox(group.consumers, section(EventsConfig), group=group.name)
        waits = inbox.apply([Delivery(position=next(self._positions), message=each) for each in messages])
        assert not waits, "an event waits, or is a dead letter"

    def collected(self, parcel: str) -> None:
        self.hear(self.told("carrier.parcel_collected.v1", parcel, field="tracked"))

    def delivered(self, parcel: str) -> None:
        self.hear(self.told("carrier.parcel_delivered.v1", parcel))

    def lost(self, parcel: str) -> None:
        self.hear(self.told("carrier.parcel_lost.v1", parcel))

    def paid(self, parcel: str) -> None:
        self.hear(self.told("insurer.claim_paid.v1", parcel))

    def row(self, parcel: str) -> ChoreographyWatch:
        return ChoreographyWatch.objects.using(section(EventsConfig).database).get(key=parcel)

    def state(self, parcel: str) -> str:
        return self.row(parcel).state

    def wait(self, duration: timedelta) -> None:
        """Let time pass, then look."""
        self.clock.advance(duration)
        self.loop.turn()


def consumer_names() -> list[str]:
    return [each.id.removeprefix(f"{identity().name}.") for each in registry.consumers()]
