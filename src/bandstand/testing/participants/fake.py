"""A fake participant for the tests of those who call one, on a network that misbehaves as it is told."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec

from bandstand import clock
from bandstand.errors import BusinessRuleViolated, ServiceConnectionError, ServiceHTTPError, ServiceTimeoutError
from bandstand.sagas.participant.protocol import DifferentRequest, EffectCancelled, KeyState, Known
from bandstand.testing.participants.adapters import Participant

__all__ = ["FakeParticipant", "Fault"]


class Fault(StrEnum):
    """What may be ordered of a call: its request is refused, unsent, lost or late, its reply slow or lost, or a 500.

    A late request arrives with `deliver_late`. After `lost_reply` and `error` the effect is there.
    """

    REFUSE = "refuse"
    UNSENT = "unsent"
    LOST_REQUEST = "lost_request"
    LOST_REPLY = "lost_reply"
    LATE = "late"
    SLOW = "slow"
    ERROR = "error"


_NO_ANSWER = (Fault.LOST_REQUEST, Fault.LATE)


class FakeParticipant(Participant):
    """A participant by the name *name*, for tests. It passes the suite of the real ones.

        bank = FakeParticipant("bank", answer=lambda key, amount: {"charge": key, "amount": amount})
        bank.order("create", Fault.LOST_REPLY, Fault.REFUSE)

    Its books are in memory, or in the file *path* where they have to outlive a process; participants of other names
    may share the file. Without *is_keyed* or *has_tombstones* it is as careless as real ones sometimes are.
    """

    slow_for: timedelta = timedelta(seconds=2)
    """How long a slow answer takes, on the clock of the tests."""

    def __init__(
        self,
        name: str,
        *,
        answer: Callable[[str, Any], Any] | None = None,
        path: Path | str = ":memory:",
        is_keyed: bool = True,
        has_tombstones: bool = True,
    ) -> None:
        self.name = name
        self.calls: list[tuple[str, str]] = []
        self._answer = answer or (lambda key, _: {name: key})
        self._is_keyed, self._has_tombstones = is_keyed, has_tombstones
        self._faults: dict[str, list[Fault]] = {}
        self._always: dict[str, Fault] = {}
        self._late: list[Callable[[], object]] = []
        self._lock = threading.RLock()
        self._books = _Books(path, name)

    def create(self, key: str, request: Any = None) -> Any:
        """Apply once; raises EffectCancelled or DifferentRequest, and whatever was ordered."""
        return self._call("create", key, lambda: self._create(key, request))

    def cancel(self, key: str) -> Known:
        """Undo once, or bury."""
        found: Known = self._call("cancel", key, lambda: self._cancel(key))
        return found

    def query(self, key: str) -> KeyState:
        """What is known of the key."""
        known: Known = self._call("query", key, lambda: _known(self._books.entry(key)))
        return known.state

    def effects(self, key: str) -> int:
        """How many effects of the key stand; no call, so no fault."""
        with self._lock:
            entry = self._books.entry(key)
        return entry.applied - entry.undone

    def standing(self, prefix: str = "") -> int:
        """How many effects stand under all keys that begin so."""
        with self._lock:
            return sum(entry.applied - entry.undone for entry in self._books.entries(prefix))

    def applied(self, prefix: str = "") -> int:
        """How many effects were ever applied, undone or not."""
        with self._lock:
            return sum(entry.applied for entry in self._books.entries(prefix))

    def order(self, call: str, *faults: Fault | str, always: bool = False) -> None:
        """Let the next calls of `create`, `cancel` or `query` meet *faults*, one each; *always*: the last for good."""
        with self._lock:
            self._faults[call] = [Fault(each) for each in faults]
            self._always.pop(call, None)
            if always:
                self._always[call] = self._faults[call].pop()

    def deliver_late(self) -> None:
        """Let every request that is late arrive now; nobody waits for its answer."""
        while self._late:
            with suppress(EffectCancelled, DifferentRequest):
                self._late.pop(0)()

    def abandon(self, key: str, request: Any = None) -> None:
        """Create, and lose the reply."""
        with suppress(EffectCancelled, DifferentRequest, ServiceTimeoutError):
            self._call("create", key, lambda: self._create(key, request), fault=Fault.LOST_REPLY)

    def close(self) -> None:
        """Close the books; leaving the block of a `with` does it as well."""
        self._books.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, call: str, key: str, apply: Callable[[], Any], *, fault: Fault | None = None) -> Any:
        with self._lock:
            self.calls.append((call, key))
            fault = fault or self._next_fault(call)
        if fault is Fault.REFUSE:
            raise BusinessRuleViolated(business_rule=f"{self.name}_refused")
        if fault is Fault.UNSENT:
            raise ServiceConnectionError("connection refused", sent=False)
        if fault is Fault.LATE:
            self._late.append(lambda: self._locked(apply))
        if fault in _NO_ANSWER:
            raise ServiceTimeoutError("no answer")
        result = self._locked(apply)
        if fault is Fault.SLOW:
            clock.sleep(self.slow_for.total_seconds())
        if fault is Fault.LOST_REPLY:
            raise ServiceTimeoutError("no answer")
        if fault is Fault.ERROR:
            raise ServiceHTTPError("HTTP 500", status_code=500)
        return result

    def _locked(self, apply: Callable[[], Any]) -> Any:
        with self._lock:
            return apply()

    def _next_fault(self, call: str) -> Fault | None:
        ordered = self._faults.get(call)
        return ordered.pop(0) if ordered else self._always.get(call)

    def _create(self, key: str, request: Any) -> Any:
        entry, digest = self._books.entry(key), msgspec.json.encode(request, order="deterministic").decode()
        if entry.is_buried and self._has_tombstones:
            raise EffectCancelled(key=key)
        if entry.applied and self._is_keyed:
            if entry.digest != digest:
                raise DifferentRequest(key=key)
            return msgspec.json.decode(entry.answer)
        answer = msgspec.json.encode(self._answer(key, request)).decode()
        self._books.change(key, digest=digest, answer=answer, applied=entry.applied + 1)
        return msgspec.json.decode(answer)

    def _cancel(self, key: str) -> Known:
        entry = self._books.entry(key)
        self._books.change(key, is_buried=True, undone=min(entry.applied, 1))
        return _known(entry)


class _Entry(NamedTuple):
    digest: str = ""
    answer: str = "null"
    applied: int = 0
    undone: int = 0
    is_buried: int = 0


def _known(entry: _Entry) -> Known:
    if entry.is_buried:
        return Known(state=KeyState.CANCELLED, answer=msgspec.json.decode(entry.answer))
    return Known(state=KeyState.APPLIED if entry.applied else KeyState.ABSENT, answer=msgspec.json.decode(entry.answer))


class _Books:
    """The entries of one participant; several share a file."""

    def __init__(self, path: Path | str, name: str) -> None:
        self._name = name
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS books (name TEXT, key TEXT, digest TEXT, answer TEXT, applied INT, undone INT,"
            " is_buried INT, PRIMARY KEY (name, key))"
        )

    def entry(self, key: str) -> _Entry:
        sql = "SELECT digest, answer, applied, undone, is_buried FROM books WHERE name = ? AND key = ?"
        found = self._db.execute(sql, (self._name, key)).fetchone()
        return _Entry(*found) if found else _Entry()

    def change(self, key: str, **values: Any) -> None:
        entry = self.entry(key)._replace(**values)
        self._db.execute("REPLACE INTO books VALUES (?, ?, ?, ?, ?, ?, ?)", (self._name, key, *entry))

    def entries(self, prefix: str) -> list[_Entry]:
        sql = "SELECT digest, answer, applied, undone, is_buried FROM books WHERE name = ?1 AND key >= ?2"
        found = self._db.execute(f"{sql} AND substr(key, 1, length(?2)) = ?2", (self._name, prefix))
        return [_Entry(*row) for row in found]

    def close(self) -> None:
        self._db.close()
