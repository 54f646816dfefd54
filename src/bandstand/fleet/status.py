"""The document of `bandstand status --json`, part of the project's verification surface."""

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from bandstand.clock import rfc3339
from bandstand.fleet.directory import Address
from bandstand.fleet.proc import children_of, parent_of, pss_bytes, started_at
from bandstand.fleet.unit import Run, State, Unit

__all__ = ["document_of", "memory_of"]


def document_of(
    units: Iterable[Unit],
    *,
    services: Mapping[str, tuple[Sequence[Address], str]],
    gateway: str,
    provider: str | None,
    bus: str,
) -> dict[str, Any]:
    """The whole document; *services* gives each one's ready addresses and its database's URL."""
    return {
        "launcher": {"pid": os.getpid()},
        "gateway": gateway,
        "provider": provider,
        "bus": bus,
        "services": {
            name: {"url": next((f"http://{host}:{port}" for host, port in found), None), "database": database}
            for name, (found, database) in services.items()
        },
        "processes": _processes_of(units),
    }


def _processes_of(units: Iterable[Unit]) -> list[dict[str, Any]]:
    """Every process of the fleet but the launcher: server parents and their workers, each by its pid.

    A unit between two runs is listed as `restarting` with the pid that ended.
    """
    return [entry for unit in units for run in _runs(unit) for entry in _entries(unit, run)]


def memory_of(unit: Unit) -> int:
    """The proportional share of memory of a unit and its workers, in bytes."""
    pids = [run.process.pid for run in _runs(unit)]
    return sum(pss_bytes(member) for pid in pids for member in (pid, *children_of(pid)))


def _runs(unit: Unit) -> list[Run]:
    return [*([unit.current] if unit.current else []), *unit.leaving]


def _entries(unit: Unit, run: Run) -> list[dict[str, Any]]:
    pid = run.process.pid
    facts = {
        "state": run.state if run.process.is_running else State.RESTARTING,
        "url": unit.job.url(run.port),
        "version": unit.job.version,
        "restarts": unit.restarts,
    }
    listed = [_entry(unit.job.name, unit.job.role, pid, parent_of(pid), facts, run.process.started_at)]
    if unit.job.role == "server":
        workers = children_of(pid)
        listed += [_entry(unit.job.name, "worker", each, pid, facts, started_at(each)) for each in workers]
    return listed


def _entry(name: str, role: str, pid: int, ppid: int, facts: dict[str, Any], began: datetime | None) -> dict[str, Any]:
    identity = {"name": name, "role": role, "pid": pid, "ppid": ppid}
    return {**identity, **facts, "started_at": rfc3339(began) if began else None}
