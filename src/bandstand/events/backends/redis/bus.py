"""The bus itself: publishing, registering, and the doors to reading, waiting and upkeep."""

import logging
import threading
import weakref
from collections.abc import Collection, Sequence
from datetime import timedelta

from bandstand.events.backends.base import (
    Bus,
    BusUnavailable,
    GroupReport,
    Message,
    Published,
    Waiter,
)
from bandstand.events.backends.batches import fitting, parts
from bandstand.events.backends.redis import scripts
from bandstand.events.backends.redis.connecting import Client, RedisAddress, reaching
from bandstand.events.backends.redis.durability import doubts
from bandstand.events.backends.redis.leases import Leases
from bandstand.events.backends.redis.listening import Notices
from bandstand.events.backends.redis.reading import RedisSubscription
from bandstand.events.backends.redis.upkeep import reports, trimmed
from bandstand.events.backends.redis.waiting import RedisWaiter

__all__ = ["Notices", "RedisBus"]

log = logging.getLogger(__name__)


class RedisBus(Bus):
    """`redis[s]://[user:password@]host:port/db?prefix=bandstand`"""

    def __init__(self, url: str) -> None:
        self._address = RedisAddress.parsed(url)
        self._keys = self._address.keys
        self._guard = threading.Lock()
        self._known: Client | None = None
        self._warned = False
        self._leases = Leases(self._client)
        self._subscriptions: weakref.WeakSet[RedisSubscription] = weakref.WeakSet()

    def publish(self, messages: Sequence[Message]) -> Published:
        """Append in one script for each few megabytes, which also nudges the groups concerned."""
        accepted, refused = fitting(messages)
        with reaching():
            for part in parts(accepted):
                values = [text for each in part for text in (each.event_id, each.type, each.subject, each.body)]
                self._run(scripts.PUBLISH, self._keys.prefix, *values)
        self._warn_once()
        return Published(accepted=frozenset(each.event_id for each in accepted), refused=refused)

    def register(self, group: str, types: Collection[str], *, from_beginning: bool) -> None:
        """Write the group and its places in one step. In streams that are new to a known group it begins as asked."""
        start = "0" if from_beginning else "$"
        with reaching():
            self._run(scripts.REGISTER, self._keys.prefix, group, " ".join(sorted(types)), start)

    def subscribe(self, group: str) -> RedisSubscription | None:
        """Take the group's lease and read on from its places."""
        lease = self._keys.lease(group)
        with reaching():
            if not self._client().hexists(self._keys.registry, group):
                raise BusUnavailable(f"the group {group!r} is not registered")
        if not self._leases.take(lease):
            return None
        try:
            subscription = RedisSubscription(self._client(), self._keys, group, self._leases)
        except BaseException:
            self._leases.release(lease)
            raise
        self._subscriptions.add(subscription)
        self._warn_once()
        return subscription

    def waiter(self, group: str) -> Waiter:
        """Listen to the group's channel; also while the server is down."""
        return RedisWaiter(self._address.client, self._keys.nudges(group))

    def trim(self, older_than: timedelta) -> int:
        """Drop a bounded number of entries of every stream."""
        with reaching():
            return trimmed(self._client(), self._keys, older_than)

    def groups(self) -> list[GroupReport]:
        """Ask the server for each stream of each group."""
        with reaching():
            return reports(self._client(), self._keys)

    def doubts(self) -> list[str]:
        """Say where the server may lose what it acknowledged."""
        with reaching():
            return doubts(self._client())

    def announce(self, name: str, text: str) -> int:
        """Publish a notice; return how many heard it."""
        with reaching():
            return int(self._client().publish(self._keys.notices(name), text))

    def notices(self, name: str) -> Notices:
        """Listen to notices."""
        return Notices(self._address.client(), self._keys.notices(name))

    def close(self) -> None:
        """Give back leases, without a last flush, and connections."""
        for subscription in list(self._subscriptions):
            subscription.abandon()
        self._leases.close()
        with self._guard:
            client, self._known = self._known, None
        if client is not None:
            client.close()

    def _client(self) -> Client:
        with self._guard:
            if self._known is None:
                self._known = self._address.client()
            return self._known

    def _warn_once(self) -> None:
        """Say in the log what `check --deploy` says."""
        if not self._warned:
            self._warned = True
            found = self.doubts()
            if found:
                log.warning("bus.unsafe_server", extra={"doubts": found})

    def _run(self, script: str, *values: str) -> None:
        self._client().register_script(script)(keys=[self._keys.registry, self._keys.streams], args=values)
