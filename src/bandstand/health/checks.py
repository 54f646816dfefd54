"""Checks: small questions about what this process owns, asked at most once a second, each in bounded time."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import connections

from bandstand import clock

__all__ = ["Check", "CheckResult", "forget_check", "register_check", "registered_checks", "results_of"]

_FRESH_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Check:
    """One question: `run` returns facts for the report, or raises.

    *critical* means that this process cannot serve without it, so a failure turns readiness to 503: only for what the
    process owns. Whatever belongs to somebody else is not critical and shows as `degraded`.
    """

    name: str
    run: Callable[[], Mapping[str, Any] | None]
    critical: bool = False
    timeout: timedelta = timedelta(milliseconds=800)


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """One answer. `problem` is for operators and never leaves the process unasked: it may name hosts."""

    name: str
    critical: bool
    ok: bool
    took_ms: float
    problem: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


class _Asker:
    """Asks one check: at most one thread at a time, the answer good for a second."""

    def __init__(self, check: Check) -> None:
        self.check = check
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._started = 0.0
        self._finished = float("-inf")
        self._result: CheckResult | None = None

    def start(self) -> threading.Thread | None:
        """Ask now unless the last answer is fresh; returns the thread to wait for."""
        with self._guard:
            if self._thread is not None and self._thread.is_alive():
                return self._thread  # still stuck in the last question: asking again would only pile up threads
            if clock.monotonic() - self._finished < _FRESH_SECONDS:
                return None
            self._started = clock.monotonic()
            self._thread = threading.Thread(target=self._ask, name=f"health-{self.check.name}", daemon=True)
            self._thread.start()
            return self._thread

    def result(self) -> CheckResult:
        """The last answer, or a timeout while the question is open."""
        with self._guard:
            if self._thread is not None and self._thread.is_alive() and self._finished < self._started:
                return self._answer(problem="timed out")
            return self._result or self._answer(problem="never answered")

    def _ask(self) -> None:
        try:
            result = self._answer(facts=self.check.run() or {})
        except Exception as error:  # noqa: BLE001 - whatever a check raises is its answer
            result = self._answer(problem=f"{type(error).__name__}: {error}")
        finally:
            connections.close_all()
        with self._guard:
            self._result, self._finished = result, clock.monotonic()

    def _answer(self, *, problem: str = "", facts: Mapping[str, Any] | None = None) -> CheckResult:
        return CheckResult(
            name=self.check.name,
            critical=self.check.critical,
            ok=not problem,
            took_ms=round((clock.monotonic() - self._started) * 1000, 3),
            problem=problem,
            facts=facts or {},
        )


_askers: dict[str, _Asker] = {}


def register_check(check: Check) -> None:
    """Add *check* to the report, and to readiness when it is critical; replaces one of the same name."""
    _askers[check.name] = _Asker(check)


def forget_check(name: str) -> None:
    """Remove a check; unknown names are ignored."""
    _askers.pop(name, None)


def registered_checks() -> list[Check]:
    """Every check, in the order of registration."""
    return [asker.check for asker in _askers.values()]


def results_of(checks: Iterable[Check]) -> list[CheckResult]:
    """Ask the *checks* side by side and wait for each at most its timeout."""
    asked = [_askers[check.name] for check in checks if check.name in _askers]
    began = clock.monotonic()
    threads = [(asker, asker.start()) for asker in asked]
    for asker, thread in threads:
        if thread is not None:
            thread.join(max(0.0, began + asker.check.timeout.total_seconds() - clock.monotonic()))
    return [asker.result() for asker in asked]
