"""What a choreography is: a story told by events alone, declared to be watched.

class OrderJourney(Choreography):
    name = "order_journey"
    key = "order_id"
    starts_on = OrderPlaced
    expects = (
        either((PaymentCaptured, then(OrderConfirmed, within=MINUTE)), OrderRejected, within=3 * MINUTE),
    )
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import ClassVar

from bandstand.events import Event
from bandstand.sagas.choreography.expectation import Expectation
from bandstand.sagas.choreography.language import AllOf, Key, Node, Spoken, Then, courses, nodes

__all__ = ["Choreography", "Registry", "choreographies"]


class Choreography:
    """Declare a journey by subclassing. It is never instantiated; a class without a name only shares with subclasses.

    `key` says which journey an event belongs to, `within` bounds the whole of it, `patience` how long an event may
    still be under way when a later one is here. With `begins_locally` a journey whose first event is published here is
    noted in the publisher's transaction, so that it is missed even when nothing of it gets to the bus; without, it
    costs the publisher nothing, and begins when the event comes off the bus.
    """

    name: ClassVar[str] = ""
    key: ClassVar[Key] = ""
    starts_on: ClassVar[type[Event] | Then]
    begins_locally: ClassVar[bool] = True
    expects: ClassVar[Iterable[Spoken]] = ()
    within: ClassVar[timedelta | None] = None
    patience: ClassVar[timedelta] = timedelta(minutes=1)
    _compiled: ClassVar[Expectation]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.name:
            choreographies.add(cls)

    @classmethod
    def nodes(cls) -> tuple[Node, ...]:
        """The whole story, its first event included."""
        return nodes([cls.starts_on, *cls.expects])

    @classmethod
    def watched(cls) -> dict[str, Then]:
        """The events it watches, by name; the first mention of each."""
        found: dict[str, Then] = {}
        for step in _steps(cls.nodes()):
            found.setdefault(step.name, step)
        return found

    @classmethod
    def key_of(cls, step: Then) -> Key:
        """How the event of *step* names its journey."""
        return cls.key if step.key is None else step.key

    @classmethod
    def expectation(cls) -> Expectation:
        """The same for the pure core."""
        if "_compiled" not in vars(cls):
            paths = tuple(courses(cls.nodes()))
            cls._compiled = Expectation(paths=paths, within=cls.within, patience=cls.patience)
        return cls._compiled


def _steps(sequence: Iterable[Node]) -> Iterator[Then]:
    for node in sequence:
        if isinstance(node, Then):
            yield node
        elif isinstance(node, AllOf):
            yield from node.members
        else:
            yield from _steps(each for branch in node.branches for each in branch)


class Registry:
    """Choreographies by name; listeners hear of those declared before and after they began to listen."""

    def __init__(self) -> None:
        self._known: dict[str, type[Choreography]] = {}
        self._listeners: list[Callable[[type[Choreography]], None]] = []

    def add(self, found: type[Choreography]) -> None:
        """Note a class. Raises ValueError when another has taken its name."""
        known = self._known.get(found.name)
        if known is not None and _path(known) != _path(found):
            raise ValueError(f"two choreographies are named {found.name!r}: {_path(known)} and {_path(found)}")
        self._known[found.name] = found
        for listener in self._listeners:
            listener(found)

    def listen(self, listener: Callable[[type[Choreography]], None]) -> None:
        """Call *listener* with each choreography, those already declared first."""
        self._listeners.append(listener)
        for found in self:
            listener(found)

    def get(self, name: str) -> type[Choreography] | None:
        """The choreography called *name*, or None when this process does not know it."""
        return self._known.get(name)

    def forget(self, name: str) -> None:
        """Drop a choreography, as tests do with theirs."""
        self._known.pop(name, None)

    def __iter__(self) -> Iterator[type[Choreography]]:
        return iter([self._known[name] for name in sorted(self._known)])


def _path(found: type[Choreography]) -> str:
    return f"{found.__module__}.{found.__qualname__}"


choreographies = Registry()
