"""The bus itself: events go through a topic exchange into one quorum queue per group."""

import weakref
from collections.abc import Collection, Sequence, Set
from datetime import timedelta

import amqp

from bandstand.events.backends.base import Bus, BusUnavailable, GroupReport, Message, Published, Waiter
from bandstand.events.backends.batches import fitting, parts
from bandstand.events.backends.rabbitmq import history, layout, registry
from bandstand.events.backends.rabbitmq.asking import held
from bandstand.events.backends.rabbitmq.connecting import Blocked, Link, connected, drop, reaching
from bandstand.events.backends.rabbitmq.durability import doubts
from bandstand.events.backends.rabbitmq.options import Options
from bandstand.events.backends.rabbitmq.reading import Group, RabbitSubscription
from bandstand.events.backends.rabbitmq.registry import Registered
from bandstand.events.backends.rabbitmq.sending import send
from bandstand.events.backends.waiters import Waiters

__all__ = ["RabbitBus"]


class RabbitBus(Bus):
    """`amqp[s]://[user:password@]host:port/vhost?prefix=bandstand`

    Publishing has a connection of its own: a server short of memory or disk stops reading from such.
    """

    trims = False

    def __init__(self, url: str) -> None:
        self._options = Options.parsed(url)
        self._sending = Link(self._options, "sending", self._lay_out)
        self._asking = Link(self._options, "asking", self._lay_out)
        self._telling = Link(self._options, "telling", self._lay_out)
        self._waiters = Waiters()
        self._subscriptions: weakref.WeakSet[RabbitSubscription] = weakref.WeakSet()

    def publish(self, messages: Sequence[Message]) -> Published:
        """Have each few megabytes in flight together and wait until the server has stored all of them."""
        accepted, refused = fitting(messages)
        for part in parts(accepted):
            with self._sending.connection() as connection:
                send(connection, self._options, part)
        return Published(accepted=frozenset(each.event_id for each in accepted), refused=refused)

    def register(self, group: str, types: Collection[str], *, from_beginning: bool) -> None:
        """Make the group's queue and have its types routed there; a new group may have to read the history first."""
        with (
            self._asking.connection() as connection,
            layout.exclusively(connection, self._options.registry_lock),
        ):
            groups = registry.read(connection, self._options)
            known = groups.pop(group, None)
            if types:
                begins_anew = self._make(connection, group, types) or known is None
                place = known.place if known is not None else None
                if begins_anew and from_beginning and history.has_events(connection, self._options):
                    place = 0
                groups[group] = Registered(types=tuple(sorted(types)), place=place)
            else:
                layout.delete(connection, self._options.queue(group))
            if groups.get(group) != known:
                registry.write(connection, self._options, groups)
            if types and known is not None:
                given_up = set(known.types) - set(types)
                layout.unbind(connection, self._options, self._options.queue(group), given_up)

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
            subscription = None
            try:
                if layout.take(connection, reader):
                    subscription = self._reading(connection, group)
            finally:
                if subscription is None:
                    drop(connection)
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
            ready = {name: self._ready(connection, name, registered) for name, registered in groups.items()}
        holding = self._holding(groups.keys())
        return [
            GroupReport(name=name, types=registered.types, lag=ready[name] + holding.get(name, 0))
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
        self._telling.close()

    def _make(self, connection: amqp.Connection, group: str, types: Collection[str]) -> bool:
        queue = self._options.queue(group)
        is_new = layout.ensure(connection, queue, layout.group_arguments(self._options))
        layout.bind(connection, self._options, queue, types)
        return is_new

    def _reading(self, connection: amqp.Connection, group: str) -> RabbitSubscription:
        registered = registry.read(connection, self._options).get(group)
        if registered is None:
            raise BusUnavailable(f"the group {group!r} is registered no more")
        about = Group(group, registered=registered, wake=lambda: self._waiters.wake(group), telling=self._telling)
        subscription = RabbitSubscription(connection, self._options, about)
        self._subscriptions.add(subscription)
        self._waiters.wake(group)  # nothing is asked for before the first fetch
        return subscription

    def _holding(self, groups: Set[str]) -> dict[str, int]:
        """What the readers of this process hold, and the others say that they do.

        A server short of memory lets nobody ask. Its readers must not be disturbed then, who measure their own lag.
        """
        known = {each.group: each.holding for each in list(self._subscriptions) if each.is_open}
        try:
            with self._asking.connection() as connection:
                return known | held(connection, self._options, groups - known.keys())
        except Blocked:
            return known

    def _ready(self, connection: amqp.Connection, group: str, registered: Registered) -> int:
        count = layout.ready(connection, self._options.queue(group)) or 0
        if registered.place is not None:
            count += history.behind(connection, self._options, registered.place)
        return count

    def _lay_out(self, connection: amqp.Connection) -> None:
        """Make what is missing. An exchange that somebody deleted took the bindings of all groups with it."""
        registry.prepare(connection, self._options)
        if layout.lay_out(connection, self._options):
            for name, registered in registry.read(connection, self._options).items():
                queue = self._options.queue(name)
                if layout.ready(connection, queue) is not None:
                    layout.bind(connection, self._options, queue, registered.types)
