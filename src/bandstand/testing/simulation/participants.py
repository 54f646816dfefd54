"""The participants of a simulated saga: effects by key, with and without tombstones, all in memory."""

from collections.abc import Callable
from datetime import datetime, timedelta

from bandstand.sagas.protocol import Outcome

__all__ = ["Effect", "Foreign", "Participant"]


class Effect:
    """What has become of one key."""

    __slots__ = ("applied", "buried", "first_at", "reversed")

    def __init__(self) -> None:
        self.applied = 0
        self.reversed = 0
        self.buried = False
        self.first_at: datetime | None = None

    @property
    def net(self) -> int:
        """How often it is in force."""
        return self.applied - self.reversed


class Participant:
    """One that keeps its keys and remembers a cancel that comes before its create."""

    def create(self, effect: Effect, now: datetime, may_refuse: Callable[[], Outcome]) -> Outcome:
        """Apply once; a repeat is answered like the first call, a cancelled key is refused."""
        if effect.buried:
            return Outcome.REFUSED
        if effect.applied:
            return Outcome.OK
        outcome = may_refuse()
        if outcome is Outcome.OK:
            effect.applied += 1
            effect.first_at = now
        return outcome

    def cancel(self, effect: Effect) -> Outcome:
        """Take it back, or see to it that it never happens."""
        if effect.net > 0:
            effect.reversed += 1
        effect.buried = True
        return Outcome.OK

    def query(self, effect: Effect) -> Outcome:
        """Whether it is in force."""
        return Outcome.OK if effect.net > 0 else Outcome.ABSENT


class Foreign(Participant):
    """One without tombstones that forgets its keys after *memory*: it knows only what it has done."""

    def __init__(self, memory: timedelta) -> None:
        self._memory = memory

    def create(self, effect: Effect, now: datetime, may_refuse: Callable[[], Outcome]) -> Outcome:
        """Apply once, as long as the key is remembered."""
        if effect.first_at is not None and now - effect.first_at <= self._memory:
            return Outcome.OK
        outcome = may_refuse()
        if outcome is Outcome.OK:
            effect.applied += 1
            effect.first_at = now
        return outcome

    def cancel(self, effect: Effect) -> Outcome:
        """Take back what is in force, and remember nothing of what is not."""
        if effect.net > 0:
            effect.reversed += 1
        return Outcome.OK
