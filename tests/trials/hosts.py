"""Processes that are threads of this one: each runs only when told to, stops at every crash point, and may die there.

So a test decides which relay or consumer goes how far and in which order, and can leave one standing in the middle
while another takes over.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import connections

from bandstand.events.backends import Bus, BusUnavailable, Published, Subscription, Waiter
from bandstand.events.backends.base import Message
from bandstand.lifecycle import crashpoints
from tests.trials.doubles import PassingBus, PassingSubscription

__all__ = ["IDLE", "Gate", "Host", "HostBus", "watched_crash_points"]

IDLE = "idle"
_WITHIN_A_TRANSACTION = "inbox.after_apply"
"""Whoever stood still here would keep the write lock of the database: one only dies here or passes."""

_DEADLINE_SECONDS = 60.0

_present = threading.local()


class _Death(BaseException):
    """The host dies where it stands."""


class Host:
    """A thread that is at most at one place: `at` is the crash point that it stands before."""

    def __init__(self, bus: Bus, work: Callable[["Host"], None]) -> None:
        self.at = IDLE
        self.is_ending = False
        self.is_dead = False
        self.bus = HostBus(bus, self)
        self._work = work
        self._fatal = ""
        self._error: BaseException | None = None
        self._go, self._stood = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()
        self._await()

    def step(self) -> None:
        """Go on to the next place."""
        if self._thread.is_alive():
            self._go.release()
            self._await()

    def step_and_die(self, point: str) -> bool:
        """Go on, and die if that leads to *point*; whether it did."""
        self._fatal = point
        self.step()
        self._fatal = ""
        return self.is_dead

    def kill(self) -> None:
        """Die here. Nothing it still does on its way out reaches the bus."""
        if self._thread.is_alive():
            self.is_dead = True
            self.step()
        self.bus.inner.close()

    def end(self) -> None:
        """Finish what it has begun and end in good order."""
        self.is_ending = True
        while self._thread.is_alive():
            self.step()
        self.bus.inner.close()

    def stand(self, place: str) -> None:
        """Wait at *place* for the next step; called within the host."""
        if place == self._fatal:
            self.is_dead = True
            raise _Death
        if place == _WITHIN_A_TRANSACTION:
            return
        self.at = place
        self._stood.release()
        self._go.acquire()
        if self.is_dead:
            raise _Death

    def _live(self) -> None:
        _present.host = self
        try:
            self.stand(IDLE)
            self._work(self)
        except _Death:
            pass  # as it was told to
        except BaseException as error:  # noqa: BLE001 - raised where the host is told to step
            self._error = error
        finally:
            connections.close_all()
            self._stood.release()

    def _await(self) -> None:
        assert self._stood.acquire(timeout=_DEADLINE_SECONDS), f"a host hangs behind {self.at}"
        if self._error is not None:
            raise self._error


class Gate(threading.Event):
    """The stop signal of a loop, which asks for it once a turn: there its host stands. It never waits."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host

    def is_set(self) -> bool:
        self._host.stand(IDLE)
        return self._host.is_ending

    def wait(self, timeout: float | None = None) -> bool:
        return False


class HostBus(PassingBus):
    """A host's own connection to the bus. It breaks with the host, and as `mood` says at its next publication."""

    def __init__(self, inner: Bus, host: Host) -> None:
        super().__init__(inner)
        self._host = host
        self.mood = ""
        self.holds_back = True
        """After a refusal, hold back what follows of that subject, as the contract of a bus has it."""

    def publish(self, messages: "list[Message]") -> Published:
        """Pass on what the mood allows."""
        mood, self.mood = self.mood, ""
        if mood == "unreachable":
            raise BusUnavailable
        refused = {messages[0].event_id: "not today"} if mood == "refuses" else {}
        taken = [each for each in messages if each.event_id not in refused and not self._is_held(each, messages, mood)]
        published = super().publish(taken)
        if mood == "unheard":
            raise BusUnavailable
        return Published(accepted=published.accepted, refused=published.refused | refused)

    def subscribe(self, group: str) -> Subscription | None:
        subscription = self.inner.subscribe(group)
        return None if subscription is None else _HostSubscription(subscription, self._host)

    def waiter(self, group: str) -> Waiter:
        return _Sleepless()

    def _is_held(self, message: Message, messages: "list[Message]", mood: str) -> bool:
        return mood == "refuses" and self.holds_back and message.subject == messages[0].subject


class _HostSubscription(PassingSubscription):
    """Ends without a word when its host is dead: the kernel closes its files, nobody writes a cursor."""

    def __init__(self, inner: Subscription, host: Host) -> None:
        super().__init__(inner)
        self._host = host

    def close(self) -> None:
        if not self._host.is_dead:
            super().close()


class _Sleepless(Waiter):
    def wait(self, timeout: timedelta) -> None: ...

    def wake(self) -> None: ...

    def close(self) -> None: ...


@contextmanager
def watched_crash_points() -> Iterator[None]:
    """Let hosts stand at the product's crash points."""

    def passed(name: str) -> None:
        host = getattr(_present, "host", None)
        if host is not None:
            host.stand(name)

    with crashpoints.watched_crash_points(passed):
        yield
