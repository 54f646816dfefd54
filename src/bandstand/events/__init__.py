"""Events: facts published from the transaction that made them true, and consumers that apply each exactly once."""

from bandstand.events.declaration import Event
from bandstand.events.envelope import Envelope, UnreadableEnvelope
from bandstand.events.publishing import NoTransaction, apublish, publish
from bandstand.events.registry import Consumer, consumer, subscribe_locally
from bandstand.events.scheduling import every, withdraw
from bandstand.events.upcasting import upcaster

__all__ = [
    "Consumer",
    "Envelope",
    "Event",
    "NoTransaction",
    "UnreadableEnvelope",
    "apublish",
    "consumer",
    "every",
    "publish",
    "subscribe_locally",
    "upcaster",
    "withdraw",
]
