"""What this process publishes and consumes: filled while modules are imported, read by loops, checks and contracts."""

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, overload

from bandstand.config import identity
from bandstand.events.declaration import Event
from bandstand.events.envelope import Envelope
from bandstand.events.upcasting import older_versions

__all__ = [
    "Consumer",
    "consumer",
    "consumers",
    "declare",
    "declared",
    "local_handlers",
    "published",
    "subscribe_locally",
]

E = TypeVar("E", bound=Event)
Handler = Callable[[E, Envelope], None]
BatchHandler = Callable[[list[tuple[E, Envelope]]], None]


@dataclass(frozen=True, kw_only=True)
class Consumer:
    """A handler of one event type. Its inbox makes each event count once for it."""

    name: str
    event: type[Event]
    handler: Callable[..., None]
    is_batch: bool = False
    reset: Callable[[], None] | None = None
    group: str = ""
    concurrency: int = 0

    @property
    def group_name(self) -> str:
        """The group that reads the bus for it: the service's own, or `<service>.<group>`."""
        return f"{identity().name}.{self.group}" if self.group else identity().name

    @property
    def id(self) -> str:
        """`<service>.<name>`: stands in the inbox and on dead letters, so renaming it starts a new history."""
        return f"{identity().name}.{self.name}"

    @property
    def types(self) -> list[str]:
        """The event types it takes: the one it reads, and older versions that upcasters lift to it."""
        return [self.event.event_name, *older_versions(self.event.event_name)]


_GROUP = re.compile(r"[a-z][a-z0-9_-]{0,49}")

_declared: dict[str, list[type[Event]]] = defaultdict(list)
_consumers: dict[str, Consumer] = {}
_local: dict[str, list[Callable[[Any, Envelope], None]]] = defaultdict(list)


def declare(event: type[Event]) -> None:
    """Note an event class; done by declaring it."""
    _declared[event.event_name].append(event)


@overload
def consumer(
    event: type[E],
    *,
    name: str | None = None,
    batch: Literal[False] = False,
    reset: Callable[[], None] | None = None,
    group: str = "",
    concurrency: int = 0,
) -> Callable[[Handler[E]], Handler[E]]: ...


@overload
def consumer(
    event: type[E],
    *,
    name: str | None = None,
    batch: Literal[True],
    reset: Callable[[], None] | None = None,
    group: str = "",
    concurrency: int = 0,
) -> Callable[[BatchHandler[E]], BatchHandler[E]]: ...


def consumer(
    event: type[E],
    *,
    name: str | None = None,
    batch: bool = False,
    reset: Callable[[], None] | None = None,
    group: str = "",
    concurrency: int = 0,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function as a consumer of *event*: called once per event, inside one transaction with its inbox row.

    The handler calls one command. What it raises is retried with backoff while later events of the same subject wait,
    and becomes a dead letter after the configured number of attempts. With *batch* it gets a list of all (event,
    envelope) of one transaction, in order; if it raises, each comes again in a list of its own.
    *reset* empties the read model that this consumer keeps, alone or with others of the same reset, for a rebuild.
    *group* gives it, and those of the same group, a place on the bus and a loop of their own, `<service>.<group>`.
    With *concurrency* that many events of the group, of different subjects, are applied at once on PostgreSQL; the
    highest of the group counts, and `CONSUMER_CONCURRENCY` where none says any.
    """
    if group and (_GROUP.fullmatch(group) is None or group == "replay"):
        raise ValueError(f"{group!r} is no name of a group: lower-case letters, digits, - and _, and not 'replay'")

    def register(handler: Callable[..., None]) -> Callable[..., None]:
        found = Consumer(
            name=name or handler.__name__,
            event=event,
            handler=handler,
            is_batch=batch,
            reset=reset,
            group=group,
            concurrency=concurrency,
        )
        known = _consumers.get(found.name)
        if known is not None and _origin(known.handler) != _origin(handler):
            raise ValueError(f"two consumers are named {found.name!r}: {_origin(known.handler)} and {_origin(handler)}")
        _consumers[found.name] = found
        return handler

    return register


def _origin(handler: Callable[..., None]) -> str:
    return f"{handler.__module__}.{handler.__qualname__}"


def subscribe_locally(event: type[E], handler: Handler[E]) -> None:
    """Call *handler* inside `publish()`, in the publisher's own transaction: what it raises rolls the fact back.

    For what must begin in the same commit as its cause, as a saga does. Subscribing twice is subscribing once.
    """
    if handler not in _local[event.event_name]:
        _local[event.event_name].append(handler)


def local_handlers(event_name: str) -> list[Callable[[Any, Envelope], None]]:
    """The local subscribers of an event, in the order of subscribing."""
    return _local.get(event_name, [])


def consumers() -> list[Consumer]:
    """All consumers of this process, by name."""
    return [_consumers[name] for name in sorted(_consumers)]


def declared() -> dict[str, list[type[Event]]]:
    """All event classes by event name: those published here and those declared to be consumed."""
    return {name: list(classes) for name, classes in sorted(_declared.items())}


def published() -> list[type[Event]]:
    """The events that this service owns and can publish, by name."""
    own = identity().name
    return [
        cls
        for _, classes in sorted(_declared.items())
        for cls in classes
        if cls.event_owner() == own and cls.subject_field
    ]
