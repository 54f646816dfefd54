"""The section `EVENTS` of the setting `BANDSTAND`."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

__all__ = ["EventsConfig"]


@dataclass(frozen=True, kw_only=True)
class EventsConfig:
    """How events travel and how long their traces stay. `bus_url` chooses the backend by its scheme."""

    section: ClassVar[str] = "EVENTS"

    bus_url: str = ""
    event_store: str = ""
    """A second bus that keeps what is published, where the bus itself has no history."""
    database: str = "default"
    batch: int = 500
    """How many events the relay hands to the bus at once at most; fewer where they are large (over 4 MB together)."""
    consumer_batch: int = 100
    """How many deliveries one transaction applies at most."""
    consumer_concurrency: int = 1
    """How many events of different subjects a group of consumers applies at once, on PostgreSQL."""
    consumer_hold: timedelta = timedelta(milliseconds=20)
    """How long such a transaction may last before it is committed and the rest goes into the next."""
    attempts: int = 8
    """How often a handler, or the publishing of an event the bus refuses, is tried before it is a dead letter."""
    retry_base: timedelta = timedelta(milliseconds=200)
    retry_cap: timedelta = timedelta(seconds=60)
    safety_poll: timedelta = timedelta(seconds=1)
    """How soon work is found at the latest when a wake-up was lost."""
    mark_interval: timedelta = timedelta(milliseconds=50)
    """How long the relay gathers what the bus accepted before it marks that in one commit."""
    relay_lease: timedelta = timedelta(seconds=3)
    relay_overdue: timedelta = timedelta(seconds=30)
    """How old the oldest event may get while none is delivered before the health report says `degraded`."""
    relay_partitions: int = 1
    """How many relays may work at once, each on its own subjects; the same in every process of a service."""
    ack_interval: timedelta = timedelta(milliseconds=500)
    """Acknowledgements to the bus are gathered this long: the inbox makes redelivery harmless."""
    from_beginning: bool = True
    """Whether a new consumer group also gets what was published before it existed."""
    outbox_retention: timedelta = timedelta(hours=24)
    inbox_retention: timedelta = timedelta(days=7)
    bus_retention: timedelta = timedelta(hours=24)
    store_retention: timedelta = timedelta(days=365)
    """How long the event store keeps events, where it does not see to that itself."""
    dead_letter_retention: timedelta = timedelta(days=90)
    """How long replayed and discarded dead letters stay; those nobody has looked at stay for ever."""
    action_retention: timedelta = timedelta(days=365)
    """How long the audit trail of what people did by hand stays."""
    max_event_bytes: int = 262_144
