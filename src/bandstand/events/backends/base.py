"""The contract of a bus. `tests/backends` holds the one suite that every implementation passes.

What a bus promises: what `publish` accepted survives the death of every process; each group gets every event of its
types published after its registration at least once, and those of one subject in the order of publishing; a group
reads where it last acknowledged. What it does not promise: exactly once. That is the inbox's work.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar

from bandstand.errors import ServiceUnavailable

__all__ = [
    "Bus",
    "BusUnavailable",
    "Delivery",
    "GroupReport",
    "Message",
    "Published",
    "Subscription",
    "Waiter",
]


class BusUnavailable(ServiceUnavailable):
    """The bus cannot be used at the moment; nothing is said about single events."""

    sentence = "The event bus is temporarily unavailable."


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """An event as the bus sees it: what to route by, what to order by, and an opaque text."""

    event_id: str
    type: str
    subject: str
    body: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """A message on its way to a group; `position` grows within one subscription and is what it acknowledges."""

    position: int
    message: Message


@dataclass(frozen=True, kw_only=True)
class Published:
    """What became of a batch. A message in neither was held back behind a refused one of its subject."""

    accepted: frozenset[str]
    refused: dict[str, str] = field(default_factory=dict)
    """Event ids with the reason: this bus will hardly ever take them as they are."""


@dataclass(frozen=True, kw_only=True)
class GroupReport:
    """A group as the bus knows it: what it listens to and how many events it has not acknowledged.

    A bus may count events of other types that lie before the last of its own; a group that is done has no lag.
    """

    name: str
    types: tuple[str, ...]
    lag: int


class Waiter(ABC):
    """The end that is woken; belongs to one thread, but `wake` may be called from any."""

    @abstractmethod
    def wait(self, timeout: timedelta) -> None:
        """Block until woken or until *timeout*. A wake-up since the last wait returns at once."""

    @abstractmethod
    def wake(self) -> None:
        """Wake it from within this process."""

    @abstractmethod
    def close(self) -> None:
        """Give the address back."""


class Subscription(ABC):
    """The right of this process to read for a group, until it is closed or the process dies."""

    @abstractmethod
    def fetch(self, limit: int) -> list[Delivery]:
        """The next deliveries, oldest first; each is handed out once per subscription. Does not wait."""

    @abstractmethod
    def ack(self, position: int) -> None:
        """Note that everything up to *position* is done. It becomes durable with `flush`, or sooner."""

    @abstractmethod
    def flush(self) -> None:
        """Make what was acknowledged durable."""

    @property
    @abstractmethod
    def unflushed(self) -> bool:
        """Whether `flush` has something to do."""

    def bookmarks(self, position: int) -> Mapping[str, int]:  # noqa: ARG002 - for those that can resume from them
        """Where to read on once everything up to *position* is done, as far as that has moved since the last `ack`.

        For the transaction that applies the deliveries; see `Bus.resume`. None where the bus's own place is enough.
        """
        return {}

    @abstractmethod
    def close(self) -> None:
        """Flush and let another process read."""


class Bus(ABC):
    """One connection to a bus, for all threads of a process; not to be carried over a fork."""

    supports_ordering: ClassVar[bool] = True
    """Whether order per subject holds as far as the group. The inbox keeps it during retries on every bus."""
    keeps_history: ClassVar[bool] = True
    """Whether a group that is registered late can begin with what was published before it."""
    shares_groups: ClassVar[bool] = False
    """Whether several subscriptions of one group may read at once, each its own subjects."""
    trims: ClassVar[bool] = True
    """Whether `trim` drops events; elsewhere the server does by a retention of its own, and `trim` returns 0."""

    @abstractmethod
    def __init__(self, url: str) -> None: ...

    @abstractmethod
    def publish(self, messages: Sequence[Message]) -> Published:
        """Make *messages* durable, in order. After a refusal the later ones of that subject are held back.

        Publishing an event id again is allowed and may deliver it again. Raises BusUnavailable, and then any part may
        have been accepted.
        """

    @abstractmethod
    def register(self, group: str, types: Collection[str], *, from_beginning: bool) -> None:
        """Make *group* exist durably with exactly these types; without types the group is forgotten.

        A new group starts at the oldest event kept, or at the end; a known one keeps its place.
        """

    @abstractmethod
    def subscribe(self, group: str) -> Subscription | None:
        """Start reading for *group*, or None while another subscription does."""

    def resume(
        self,
        group: str,
        kept: Callable[[], Mapping[str, int]],  # noqa: ARG002 - for those that can resume from them
    ) -> Subscription | None:
        """Subscribe where the bookmarks are that the group's database has *kept*; elsewhere at the bus's own place.

        *kept* may be called from any thread and at any time until the subscription is closed.
        """
        return self.subscribe(group)

    @abstractmethod
    def waiter(self, group: str) -> Waiter:
        """What the reader of *group* waits on: woken by every publication of a type that it is registered for."""

    @abstractmethod
    def trim(self, older_than: timedelta) -> int:
        """Drop events that every group has acknowledged and that are older than that; return how many."""

    @abstractmethod
    def groups(self) -> list[GroupReport]:
        """Every registered group, by name."""

    def doubts(self) -> list[str]:
        """What about the server's settings speaks against the promise of `publish`. Raises BusUnavailable."""
        return []

    @abstractmethod
    def close(self) -> None:
        """Give everything back; using it afterwards opens anew."""
