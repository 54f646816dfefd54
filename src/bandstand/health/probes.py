"""The four answers: liveness, readiness, startup and the report."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from bandstand import clock
from bandstand.config import identity
from bandstand.health.checks import Check, CheckResult, register_check, registered_checks, results_of
from bandstand.health.database import check_database, pending_migrations
from bandstand.health.resources import check_disk_space, check_memory

__all__ = [
    "Probe",
    "forget_liveness",
    "liveness",
    "readiness",
    "register_liveness",
    "report",
    "restore",
    "startup",
    "withdraw",
]

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Probe:
    """The answer to a probe: whether it is fine, and the names of what is not."""

    ok: bool
    failing: tuple[str, ...] = ()
    results: tuple[CheckResult, ...] = field(default=(), repr=False)


_ailments: dict[str, Callable[[], str | None]] = {}
_withdrawn: dict[str, None] = {}
_was_ready = True
_is_migrated = False


class MigrationsPending(Exception):
    """The database is older than the code."""


def _check_migrations() -> None:
    """Pass for ever once every migration is applied: a later release may add rows that this one does not know."""
    global _is_migrated  # noqa: PLW0603 - a latch of this process
    if not _is_migrated:
        pending = pending_migrations()
        if pending:
            raise MigrationsPending(f"{len(pending)} to apply, first {pending[0]}")
        _is_migrated = True


_DATABASE = Check(name="database", run=check_database, critical=True)
_MIGRATIONS = Check(name="migrations", run=_check_migrations, critical=True, timeout=timedelta(seconds=2))
register_check(_DATABASE)
register_check(_MIGRATIONS)
register_check(Check(name="disk_space", run=check_disk_space))
register_check(Check(name="memory", run=check_memory))


def register_liveness(name: str, ailment: Callable[[], str | None]) -> None:
    """Let liveness ask *ailment* (None: fine, else what is wrong). It must not do I/O or block."""
    _ailments[name] = ailment


def forget_liveness(name: str) -> None:
    """Stop asking; unknown names are ignored."""
    _ailments.pop(name, None)


def withdraw(reason: str) -> None:
    """Make this process unready for *reason* until `restore`; several reasons add up."""
    _withdrawn[reason] = None


def restore(reason: str) -> None:
    """Take *reason* back; unknown ones are ignored."""
    _withdrawn.pop(reason, None)


def liveness() -> Probe:
    """Whether this process should go on living: its loops beat. No I/O, so a slow database never kills it."""
    failing = tuple(sorted(f"{name} {wrong}" for name, ask in dict(_ailments).items() if (wrong := ask())))
    return Probe(ok=not failing, failing=failing)


def startup() -> Probe:
    """Whether the process has finished starting: every migration it knows is applied."""
    return _probe(results_of([_MIGRATIONS]))


def readiness() -> Probe:
    """Whether requests may be sent here: own critical checks pass and nothing withdrew it. Answers within 2 s."""
    if _withdrawn:
        probe = Probe(ok=False, failing=tuple(_withdrawn))
    else:
        probe = _probe(results_of([check for check in registered_checks() if check.critical]))
    _log_change(probe)
    return probe


def report(*, detail: bool = False) -> dict[str, Any]:
    """Everything this process knows of itself: `healthy`, `degraded` (serves all the same) or `unhealthy`.

    Problems and facts are left out unless *detail* is asked for: they may name hosts, users and files.
    """
    results = results_of(registered_checks())
    alive = liveness()
    who = identity()
    return {
        "status": _status(results, alive),
        "service": who.name,
        "version": who.version,
        "environment": who.environment,
        "timestamp": clock.rfc3339(clock.now()),
        "draining": "draining" in _withdrawn,
        "checks": {result.name: _shown(result, detail=detail) for result in results},
        "loops": {name: ask() or "running" for name, ask in dict(_ailments).items()},
    }


def _probe(results: list[CheckResult]) -> Probe:
    failing = tuple(result.name for result in results if not result.ok)
    return Probe(ok=not failing, failing=failing, results=tuple(results))


def _log_change(probe: Probe) -> None:
    """Log once per change, not once per probe."""
    global _was_ready  # noqa: PLW0603 - the last answer of this process
    if probe.ok is not _was_ready:
        _was_ready = probe.ok
        problems = {result.name: result.problem for result in probe.results if not result.ok}
        log.warning("readiness.changed", extra={"ready": probe.ok, "failing": probe.failing, "problems": problems})


def _status(results: list[CheckResult], alive: Probe) -> str:
    if _withdrawn or not alive.ok or any(result.critical and not result.ok for result in results):
        return "unhealthy"
    return "healthy" if all(result.ok for result in results) else "degraded"


def _shown(result: CheckResult, *, detail: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "status": "ok" if result.ok else "failing",
        "critical": result.critical,
        "response_time_ms": result.took_ms,
    }
    if detail:
        shown |= {"problem": result.problem, **result.facts}
    return shown
