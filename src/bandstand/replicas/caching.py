"""Cache entries that events invalidate, in whatever cache Django is set up with.

    @invalidated_by(ProductUpdated, key=lambda event: event.product_id)
    @cached(lifetime=timedelta(minutes=10))
    def price_of(product_id: UUID) -> Price: ...

Deleting an entry is not enough: a value computed before may be stored after. Memcached's leases (Nishtala et al.:
Scaling Memcache at Facebook, NSDI 2013, section 3.2.1) refuse that, but need a server that knows them. With get, set
and add alone, a random token for each key does the same: a value is stored with the token that was there before it was
computed, and counts while that is the token. Whoever invalidates puts a bar in its place, under which nothing is
stored, and a new token after the commit; a bar whose process died lapses, and no token comes twice.
"""

import functools
import secrets
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from django.core.cache import DEFAULT_CACHE_ALIAS, BaseCache, caches
from django.db import transaction

from bandstand.config import section
from bandstand.database import in_transaction
from bandstand.errors import ServiceUnavailable
from bandstand.events import Envelope, Event, consumer
from bandstand.events.config import EventsConfig
from bandstand.observability.metrics import counter

__all__ = ["Cached", "InvalidationLost", "cached", "cached_functions", "invalidated_by"]

K = TypeVar("K")
V = TypeVar("V")
E = TypeVar("E", bound=Event)

_BARRED_FOR = timedelta(seconds=60)
"""Longer than a transaction that applies events may last: a bar must not lapse before the commit."""
_BAR = "bar:"

_requests = counter("cached_requests_total", "Calls of cached functions, by outcome.", ("function", "outcome"))
_invalidations = counter("cached_invalidations_total", "Entries that events invalidated.", ("function",))
_functions: dict[str, "Cached[Any, Any]"] = {}


class InvalidationLost(ServiceUnavailable):
    """The cache did not keep a bar, so an entry may be stale: the event is tried again."""


class Cached(Generic[K, V]):
    """A function of one key whose values are kept for a while, or until an event invalidates them."""

    def __init__(self, function: Callable[[K], V], *, lifetime: timedelta, alias: str) -> None:
        functools.update_wrapper(self, function)
        self.name = f"{function.__module__}.{function.__qualname__}"
        self.alias = alias
        self._function = function
        self._lifetime = lifetime.total_seconds()

    def __call__(self, key: K) -> V:
        """The value of *key*: kept, or computed now and then kept unless an event has invalidated it meanwhile."""
        token_at, value_at = self._places(key)
        found = self._cache.get_many([token_at, value_at])
        token, (stored_with, value) = found.get(token_at), found.get(value_at, (None, None))
        if token is not None and token == stored_with:
            _requests.labels(self.name, "hit").inc()
            kept: V = value
            return kept
        token = token or self._first_token(token_at)
        computed = self._function(key)
        # A transaction may see what others have replaced since, and what itself will roll back.
        may_keep = not token.startswith(_BAR) and not in_transaction(section(EventsConfig).database)
        _requests.labels(self.name, "miss" if may_keep else "not_kept").inc()
        if may_keep:
            self._cache.set(value_at, (token, computed), self._lifetime)
        return computed

    def invalidate(self, keys: Sequence[K]) -> None:
        """Let no value count that was computed before the open transaction commits. Raises InvalidationLost."""
        places = sorted({self._places(key)[0] for key in keys})
        bars = {place: _BAR + secrets.token_hex(8) for place in places}
        self._cache.set_many(bars, _BARRED_FOR.total_seconds())
        if self._cache.get_many(places) != bars:  # many a backend says nothing when its server is gone
            raise InvalidationLost(f"the cache {self.alias!r} does not answer", function=self.name)
        transaction.on_commit(lambda: self._lift(bars), using=section(EventsConfig).database, robust=True)
        _invalidations.labels(self.name).inc(len(bars))

    def _lift(self, bars: dict[str, str]) -> None:
        """Replace these bars by new tokens, unless somebody has put up another: theirs to lift."""
        found = self._cache.get_many(list(bars))
        others = {place for place, token in found.items() if token.startswith(_BAR) and token != bars[place]}
        tokens = {place: secrets.token_hex(8) for place in bars.keys() - others}
        self._cache.set_many(tokens, self._lifetime * 2)

    def _first_token(self, place: str) -> str:
        mine = secrets.token_hex(8)
        if self._cache.add(place, mine, self._lifetime * 2):
            return mine
        return str(self._cache.get(place) or mine)

    def _places(self, key: K) -> tuple[str, str]:
        place = f"{self.name}:{quote(str(key), safe='')}"
        return f"{place}:token", f"{place}:value"

    @property
    def _cache(self) -> BaseCache:
        return caches[self.alias]


def cached(*, lifetime: timedelta, alias: str = DEFAULT_CACHE_ALIAS) -> Callable[[Callable[[K], V]], Cached[K, V]]:
    """Keep the values of a function of one argument, at most for *lifetime*; `str()` of the argument tells keys apart.

    Values are pickled by the cache. What the function raises is not kept, nor what it returns within a transaction.
    """

    def decorate(function: Callable[[K], V]) -> Cached[K, V]:
        made = Cached(function, lifetime=lifetime, alias=alias)
        _functions[made.name] = made
        return made

    return decorate


def invalidated_by(event: type[E], *, key: Callable[[E], K]) -> Callable[[Cached[K, V]], Cached[K, V]]:
    """Invalidate the entry of `key(event)` whenever *event* arrives, in the transaction of its inbox row.

    Once that has committed, no call returns a value that was computed before. Until then a call may, and does not store
    what it computes.
    """

    def register(function: Cached[K, V]) -> Cached[K, V]:
        def forget(batch: list[tuple[E, Envelope]]) -> None:
            function.invalidate([key(each) for each, _ in batch])

        fact = event.event_name.partition(".")[2]
        forget.__module__, forget.__qualname__ = function.name.rpartition(".")[0], f"{function.name}.{fact}"
        forget.__doc__ = f"Invalidate what {function.name.rpartition('.')[2]} has cached."
        forget.declared_at = _place(key)  # type: ignore[attr-defined]  # a function may carry what is known of it
        consumer(event, name=f"{function.name.rpartition('.')[2]}.{fact}", batch=True)(forget)
        return function

    return register


def cached_functions() -> list[Cached[Any, Any]]:
    """All cached functions of this process, by name."""
    return [_functions[name] for name in sorted(_functions)]


def _place(key: Callable[..., Any]) -> str | None:
    code = getattr(key, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else None
