"""Events: facts published from the transaction that made them true, and consumers that apply each exactly once."""

from bandstand.events.declaration import Event
from bandstand.events.envelope import Envelope, UnreadableEnvelope
from bandstand.events.publishing import NoTransaction, apublish, publish
from bandstand.events.registry import Consumer, consumer, subscribe_locally

__all__ = [
    "Consumer",
    "Envelope",
    "Event",
    "NoTransaction",
    "UnreadableEnvelope",
    "apublish",
    "consumer",
    "publish",
    "subscribe_locally",
]
