"""Buses with a fault each, to show that the trials find what they are there to find.

Each stands where a real bus does, so that relay and consumer loop are the product's own: what is taken away is one
promise that the rest relies on.
"""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta

from bandstand.events.backends import Bus, Delivery, GroupReport, Message, Published, Subscription, Waiter

__all__ = ["DOUBLES", "PassingBus", "PassingSubscription"]


class PassingSubscription(Subscription):
    """Passes everything on."""

    def __init__(self, inner: Subscription) -> None:
        self.inner = inner

    def fetch(self, limit: int) -> list[Delivery]:
        return self.inner.fetch(limit)

    def ack(self, position: int) -> None:
        self.inner.ack(position)

    def flush(self) -> None:
        self.inner.flush()

    @property
    def unflushed(self) -> bool:
        return self.inner.unflushed

    def close(self) -> None:
        self.inner.close()


class PassingBus(Bus):
    """Passes everything on."""

    reading: type[PassingSubscription] = PassingSubscription

    def __init__(self, inner: Bus) -> None:
        self.inner = inner

    def publish(self, messages: Sequence[Message]) -> Published:
        return self.inner.publish(messages)

    def register(self, group: str, types: Collection[str], *, from_beginning: bool) -> None:
        self.inner.register(group, types, from_beginning=from_beginning)

    def subscribe(self, group: str) -> Subscription | None:
        subscription = self.inner.subscribe(group)
        return None if subscription is None else self.reading(subscription)

    def waiter(self, group: str) -> Waiter:
        return self.inner.waiter(group)

    def trim(self, older_than: timedelta) -> int:
        return self.inner.trim(older_than)

    def groups(self) -> list[GroupReport]:
        return self.inner.groups()

    def close(self) -> None:
        self.inner.close()


class _AckingAtOnce(PassingSubscription):
    def fetch(self, limit: int) -> list[Delivery]:
        found = super().fetch(limit)
        if found:
            self.ack(found[-1].position)
            self.flush()
        return found


class AckFirst(PassingBus):
    """Acknowledges before the commit: what a killed consumer had in hand is lost."""

    reading = _AckingAtOnce


class _Renaming(PassingSubscription):
    def fetch(self, limit: int) -> list[Delivery]:
        return [
            replace(each, message=replace(each.message, event_id=str(uuid.uuid4()))) for each in super().fetch(limit)
        ]


class NoInbox(PassingBus):
    """Gives each delivery an id of its own, so that no inbox knows it again: what is redelivered is applied twice."""

    reading = _Renaming


class AcceptFirst(PassingBus):
    """Says that it has accepted what it sends only with the next batch: what a killed relay had in hand is lost."""

    def __init__(self, inner: Bus) -> None:
        super().__init__(inner)
        self._kept: list[Message] = []

    def publish(self, messages: Sequence[Message]) -> Published:
        kept, self._kept = self._kept, list(messages)
        super().publish(kept)
        return Published(accepted=frozenset(each.event_id for each in messages))


class _Swapping(PassingSubscription):
    def fetch(self, limit: int) -> list[Delivery]:
        found = super().fetch(limit)
        swapped = [each.message for each in reversed(found)]
        return [replace(each, message=message) for each, message in zip(found, swapped, strict=True)]


class Disorder(PassingBus):
    """Hands out each batch from its end."""

    reading = _Swapping


DOUBLES: dict[str, type[PassingBus]] = {
    "ack-first": AckFirst,
    "no-inbox": NoInbox,
    "accept-first": AcceptFirst,
    "disorder": Disorder,
}
