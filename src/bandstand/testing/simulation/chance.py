"""Where everything that is left to chance in a schedule comes from: a string of bytes, itself made from one integer.

A byte of 0 always means that nothing goes wrong, and so does every byte behind the end. So a schedule heals by itself,
and a shorter string, or one with more zeros, is a simpler schedule: that is all that shrinking needs.
"""

from collections.abc import Sequence
from datetime import timedelta
from hashlib import shake_128
from typing import NamedTuple, TypeVar

__all__ = ["LONG", "SHORT", "Chance", "Fate", "Profile", "data_of", "profile_of"]

T = TypeVar("T")

_LENGTHS = (24, 56, 96)


class Fate:
    """What may happen to a request, a reply, an answer, a wave or a saga.

    Plain strings: half a million of them are compared every second.
    """

    FINE = "fine"
    SLOW = "slow"
    LATE = "late"
    """The caller hears nothing, and it arrives long afterwards."""
    LOST = "lost"
    UNSENT = "unsent"
    DOUBLED = "doubled"
    """The client repeats by itself, and the first copy comes late."""
    REFUSED = "refused"
    ERROR = "error"
    REJECTED = "rejected"
    NEVER = "never"
    BREAKS = "breaks"
    """The commit fails, and nothing of it is there."""
    BREAKS_AFTER = "breaks_after"
    """The commit seems to fail, and all of it is there."""
    CRASHES = "crashes"
    """The process dies before the commit."""
    CRASHES_AFTER = "crashes_after"
    """The process dies between the commit and the calls that follow it."""
    FREEZES = "freezes"
    CANCEL = "cancel"
    RETRY = "retry"
    COMPENSATE = "compensate"
    SKIP = "skip"
    RESOLVE = "resolve"
    LOSE_LEASE = "lose_lease"
    """The worker lives, but its heartbeats do not reach the database."""


class Chance:
    """The bytes of one schedule, read from first to last."""

    __slots__ = ("_data", "_end", "at")

    def __init__(self, data: bytes) -> None:
        self._data, self._end = data, len(data)
        self.at = 0

    def pick(self, table: Sequence[T]) -> T:
        """One entry of a table of 256."""
        at = self.at
        if at >= self._end:
            return table[0]
        self.at = at + 1
        return table[self._data[at]]


class Profile(NamedTuple):
    """How often what goes wrong in one kind of schedule: a table of 256 for each occasion."""

    request: tuple[str, ...]
    answer: tuple[str, ...]
    reply: tuple[str, ...]
    local: tuple[str, ...]
    bus: tuple[str, ...]
    told: tuple[str, ...]
    wave: tuple[str, ...]
    people: tuple[str, ...]


def _spread(*choices: T) -> tuple[T, ...]:
    """All of them equally often, the first one for 0."""
    return tuple(choices[index * len(choices) // 256] for index in range(256))


def _odds(per_cent: float, *fates: str) -> tuple[str, ...]:
    """FINE, but for *per_cent* of the entries, which the *fates* share."""
    count = round(256 * per_cent / 100)
    return (Fate.FINE,) * (256 - count) + tuple(fates[index * len(fates) // count] for index in range(count))


def _profile(network: float, workers: float, people: float, refusals: float = 3) -> Profile:
    lossy = (Fate.SLOW, Fate.LATE, Fate.LOST, Fate.UNSENT, Fate.DOUBLED)
    wave = (Fate.FREEZES, Fate.BREAKS, Fate.BREAKS_AFTER, Fate.CRASHES, Fate.CRASHES_AFTER)
    wishes = (Fate.CANCEL, Fate.RETRY, Fate.COMPENSATE, Fate.SKIP, Fate.RESOLVE)
    return Profile(
        request=_odds(network, *lossy),
        answer=_odds(refusals, Fate.REFUSED, Fate.ERROR, Fate.REFUSED),
        reply=_odds(network, Fate.SLOW, Fate.LOST, Fate.LATE),
        local=_odds(refusals, Fate.ERROR, Fate.REFUSED),
        bus=_odds(network, Fate.SLOW, Fate.DOUBLED, Fate.LATE),
        told=_odds(network + refusals, Fate.SLOW, Fate.REJECTED, Fate.NEVER, Fate.DOUBLED),
        wave=_odds(workers, *wave),
        people=_odds(people + workers / 3, *(wishes if people else ()), *((Fate.LOSE_LEASE,) if workers else ())),
    )


_PROFILES = _spread(
    _profile(2, 2, 1, refusals=1),
    _profile(12, 0.5, 0.5),
    _profile(30, 3, 0.5),
    _profile(3, 15, 0.5),
    _profile(15, 12, 8),
    _profile(8, 1, 20),
    _profile(40, 25, 15, refusals=12),
)

SHORT = _spread(*(timedelta(seconds=seconds) for seconds in (0.05, 0.2, 0.9)))
"""Within the patience of a client."""
LONG = _spread(*(timedelta(seconds=seconds) for seconds in (0.3, 2, 7, 15, 45, 130, 700, 4000, 90000)))
"""Beyond it, beyond a lease, beyond the timeout of a step, beyond the deadline of a saga."""


def profile_of(chance: Chance) -> Profile:
    """What goes wrong in this schedule, and how often."""
    return chance.pick(_PROFILES)


def data_of(seed: int) -> bytes:
    """The bytes of a seed; the same with every release of Python."""
    drawn = shake_128(seed.to_bytes(16, "big", signed=True)).digest(_LENGTHS[-1] + 1)
    return drawn[: _LENGTHS[drawn[-1] % len(_LENGTHS)]]
