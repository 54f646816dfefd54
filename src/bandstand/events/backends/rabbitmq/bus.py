"""The bus itself: events go through a topic exchange into one quorum queue per group."""

import weakref
from collections.abc import Collection, Sequence
from datetime import timedelta

import amqp

from bandstand.events.backends.base import Bus, BusUnavailable, GroupReport, Message, Published, Waiter
from bandstand.events.backends.batches import fitting, parts
from bandstand.events.backends.rabbitmq import layout, registry
from bandstand.events.backends.rabbitmq.asking import held
from bandstand.events.backends.rabbitmq.connecting import Link, connected, drop, reaching
from bandstand.events.backends.rabbitmq.durability import doubts
from bandstand.events.backends.rabbitmq.options import Options
from bandstand.events.backends.rabbitmq.reading import RabbitSubscription
from bandstand.events.backends.rabbitmq.sending import send
from bandstand.events.backends.waiters import Waiters

__all__ = ["RabbitBus"]


class RabbitBus(Bus):
    """`amqp[s]://[user:password@]host:port/vhost?prefix=bandstand`

    Publishing has a connection of its own: a server short of memory or disk stops reading from such.
    """

    keeps_history = False
    trims = False

    def __init__(self, url: str) -> None:
        self._options = Options.parsed(url)
        self._sending = Link(self._options, "sending", self._lay_out)
        self._asking = Link(self._options, "asking", self._lay_out)
        self._waiters = Waiters()
        self._subscriptions: weakref.WeakSet[RabbitSubscription] = weakref.WeakSet()

    def publish(self, messages: Sequence[Message]) -> Published:
        """Have each few megabytes in flight together and wait until the server has stored all of them."""
        accepted, refused = fitting(messages)
        for part in parts(accepted):
            with self._sending.connection() as connection:
                send(connection, self._options, part)
        return Published(accepted=frozenset(each.event_id for each in accepted), refused=refused)

    def register(self, group: str, types: Collection[str], *, from_beginning: bool) -> None:  # noqa: ARG002 - no history
        """Make the group's queue and have its types routed there. A new group begins at the end."""
        with (
            self._asking.connection() as connection,
            layout.exclusively(connection, self._options.registry_lock),
        ):
            groups = registry.read(connection, self._options)
            if types:
                self._register(connection, groups, group, types)
            else:
                layout.delete(connection, self._options.queue(group))
                if groups.pop(group, None) is not None:
                    registry.write(connection, self._options, groups)

    def subscribe(self, group: str) -> RabbitSubscription | None:
        """Take the group's exclusive queue, which the server frees as soon as this process is gone."""
        reader = self._options.reader(group)
        with self._asking.connection() as connection:
            if layout.ready(connection, self._options.queue(group)) is None:
                raise BusUnavailable(f"the group {group!r} is not registered")
            if layout.is_locked(connection, reader):
                return None
        with reaching():
            connection = connected(self._options, purpose=f"reading for {group}")
            try:
                if not layout.take(connection, reader):
                    drop(connection)
                    return None
            except BaseException:
                drop(connection)
                raise
        subscription = RabbitSubscription(connection, self._options, group, wake=lambda: self._waiters.wake(group))
        self._subscriptions.add(subscription)
        self._waiters.wake(group)  # nothing is asked for before the first fetch
        return subscription

    def waiter(self, group: str) -> Waiter:
        """Wait for what the group's subscription in this process reads."""
        return self._waiters.add(group)

    def trim(self, older_than: timedelta) -> int:  # noqa: ARG002 - a queue keeps nothing that is acknowledged
        """Do nothing: what a group acknowledged is gone."""
        return 0

    def groups(self) -> list[GroupReport]:
        """Count what is ready in each queue, then what its reader holds: what moves in between is counted twice."""
        with self._asking.connection() as connection:
            groups = registry.read(connection, self._options)
            ready = {name: layout.ready(connection, self._options.queue(name)) or 0 for name in groups}
            holding = held(connection, self._options, groups.keys())
        return [
            GroupReport(name=name, types=registered.types, lag=ready[name] + holding[name])
            for name, registered in sorted(groups.items())
        ]

    def doubts(self) -> list[str]:
        """Say what differs from what was asked for, and what was set aside."""
        with self._sending.connection() as connection:
            return doubts(connection, self._options)

    def close(self) -> None:
        """Give back what was not flushed, and all connections."""
        for subscription in list(self._subscriptions):
            subscription.abandon()
        self._sending.close()
        self._asking.close()

    def _register(
        self, connection: amqp.Connection, groups: registry.Groups, group: str, types: Collection[str]
    ) -> None:
        known, queue = groups.get(group), self._options.queue(group)
        layout.ensure(connection, queue, layout.group_arguments(self._options))
        layout.bind(connection, self._options, queue, types)
        wanted = registry.Registered(types=tuple(sorted(types)))
        if wanted != known:
            registry.write(connection, self._options, groups | {group: wanted})
        if known is not None:
            layout.unbind(connection, self._options, queue, set(known.types) - set(types))

    def _lay_out(self, connection: amqp.Connection) -> None:
        """Make what is missing. An exchange that somebody deleted took the bindings of all groups with it."""
        registry.prepare(connection, self._options)
        if layout.lay_out(connection, self._options):
            for name, registered in registry.read(connection, self._options).items():
                queue = self._options.queue(name)
                if layout.ready(connection, queue) is not None:
                    layout.bind(connection, self._options, queue, registered.types)
