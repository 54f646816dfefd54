"""A shop for the saga tests: participants with a database of their own, a network that misbehaves, a saga over both."""

import sqlite3
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from bandstand.errors import BusinessRuleViolated, ServiceConnectionError, ServiceHTTPError, ServiceTimeoutError
from bandstand.sagas import Saga, SagaExecution, SagaStep, StepCall, StepKind
from tests.project.models import OrderNote

__all__ = ["Checkout", "Participants", "Shop", "open_shop", "order_history", "write_history"]


class Participants:
    """Inventory and payments in one real file, apart from the sagas' database; each function is one transaction.

    *keyed* and *tombstones* are what a careless participant lacks: without them the invariants must break.
    """

    def __init__(self, path: Path | str = ":memory:", *, keyed: bool = True, tombstones: bool = True) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS ledger (key TEXT, kind TEXT, applied INT, undone INT, buried INT, "
            "PRIMARY KEY (key, kind))"
        )
        self._lock = threading.Lock()
        self.keyed, self.tombstones = keyed, tombstones

    def do(self, kind: str, key: str) -> None:
        """Apply once; refuse what was undone before."""
        with self._lock:
            applied, _, buried = self._row(kind, key)
            if buried and self.tombstones:
                raise BusinessRuleViolated(business_rule="cancelled")
            if not applied or not self.keyed:
                self._set(kind, key, "applied = applied + 1")

    def undo(self, kind: str, key: str) -> None:
        """Take back once, and remember it even when there is nothing yet to take back."""
        with self._lock:
            applied, undone, _ = self._row(kind, key)
            self._set(kind, key, f"buried = 1, undone = {1 if applied or undone else 0}")

    def _row(self, kind: str, key: str) -> tuple[int, int, int]:
        found = self._db.execute("SELECT applied, undone, buried FROM ledger WHERE key = ? AND kind = ?", (key, kind))
        return found.fetchone() or (0, 0, 0)

    def _set(self, kind: str, key: str, change: str) -> None:
        self._db.execute("INSERT OR IGNORE INTO ledger VALUES (?, ?, 0, 0, 0)", (key, kind))
        self._db.execute(f"UPDATE ledger SET {change} WHERE key = ? AND kind = ?", (key, kind))

    def net(self, kind: str, saga_id: object = "") -> int:
        """Effects applied and not taken back, of one saga or of all."""
        sql = "SELECT coalesce(sum(applied - undone), 0) FROM ledger WHERE kind LIKE ? AND key LIKE ?"
        return int(self._db.execute(sql, (kind, f"{saga_id}%")).fetchone()[0])

    def applied(self, kind: str) -> int:
        """Effects ever applied."""
        return int(
            self._db.execute("SELECT coalesce(sum(applied), 0) FROM ledger WHERE kind = ?", (kind,)).fetchone()[0]
        )

    def close(self) -> None:
        """Close the file."""
        self._db.close()


class Shop:
    """The participants behind a network on which every call may be ordered to go wrong.

    While it is `catching`, every call is on its way only.
    """

    def __init__(self, participants: Participants) -> None:
        self.participants = participants
        self.faults: dict[str, list[str]] = {}
        self.late: list[Callable[[], None]] = []
        self.calls: list[str] = []
        self.catching = False

    def order(self, call: str, *faults: str) -> None:
        """Let the next calls of, say, `capture.do` meet *faults*; `always:` keeps a fault."""
        self.faults[call] = list(faults)

    def call(self, name: str, apply: Callable[[], None]) -> None:
        """One call through the network."""
        self.calls.append(name)
        if self.catching:
            self.faults[name] = ["late"]
        fault = self._next_fault(name)
        if fault == "refuse":
            raise BusinessRuleViolated(business_rule=f"{name.partition('.')[0]}_refused")
        if fault == "unsent":
            raise ServiceConnectionError("connection refused", sent=False)
        if fault == "lost_request":
            raise ServiceTimeoutError("no answer")
        if fault == "late":
            self.late.append(apply)
            raise ServiceTimeoutError("no answer")
        apply()
        if fault == "lost_reply":
            raise ServiceTimeoutError("no answer")
        if fault == "error":
            raise ServiceHTTPError("HTTP 500", status_code=500)

    def _next_fault(self, name: str) -> str:
        faults = self.faults.get(name)
        if not faults:
            return ""
        if faults[0].startswith("always:"):
            return faults[0].removeprefix("always:")
        return faults.pop(0)

    def deliver_late(self) -> None:
        """Let every request that was on its way arrive now."""
        while self.late:
            try:
                self.late.pop(0)()
            except BusinessRuleViolated:  # a tombstone refuses it: nobody hears of that
                continue


_shop: list[Shop] = []


def open_shop(shop: Shop) -> Shop:
    """Make *shop* the one that the steps call."""
    _shop[:] = [shop]
    return shop


def _do(kind: str, name: str) -> Callable[[StepCall], None]:
    def do(call: StepCall) -> None:
        _shop[0].call(f"{name}.do", lambda: _shop[0].participants.do(kind, call.key))

    return do


def _undo(kind: str, name: str) -> Callable[[StepCall], None]:
    def undo(call: StepCall) -> None:
        _shop[0].call(f"{name}.undo", lambda: _shop[0].participants.undo(kind, call.key))

    return undo


def confirm(call: StepCall) -> dict[str, str]:
    """Confirm the order in the transaction of the saga's log."""
    _shop[0].call("confirm.do", lambda: None)
    write_history(str(call.context["order"]), "confirmed")
    return {"confirmed_by": call.key}


def write_history(order: str, status: str) -> None:
    """Write down, in the open transaction, what became of an order."""
    OrderNote.objects.create(order=order, status=status)


def order_history(order: str) -> list[str]:
    """What the local steps and follow-ups wrote of an order, oldest first."""
    return list(OrderNote.objects.filter(order=order).order_by("id").values_list("status", flat=True))


class Checkout(Saga):
    """The order saga in small: a read, a hold, the pivot, what makes the hold final, and a local end."""

    name = "test_checkout"
    deadline = timedelta(seconds=120)
    steps = [
        SagaStep("validate", do=_do("looked", "validate"), no_undo="reads only"),
        SagaStep(
            "reserve", do=_do("held", "reserve"), undo=_undo("held", "reserve"), renew_every=timedelta(seconds=60)
        ),
        SagaStep("capture", kind=StepKind.PIVOT, do=_do("charged", "capture"), undo=_undo("charged", "capture")),
        SagaStep("commit", kind=StepKind.RETRIABLE, do=_do("committed", "commit")),
        SagaStep("confirm", kind=StepKind.RETRIABLE, local=True, do=confirm),
    ]

    def begin(self, event: str) -> tuple[str, dict[str, str]]:
        """The order's id is the business key."""
        return event, {"order": event}

    def ended(self, execution: SagaExecution) -> None:
        """Note how it ended."""
        _shop[0].call("ended", lambda: None)
        write_history(execution.business_key, f"{execution.status}:{execution.reason}")
