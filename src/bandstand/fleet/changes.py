"""Planned changes to a running fleet: replace a service's processes, or follow a changed manifest.

Nobody else notices: the gateway and the services learn of a new process when it is ready, and an old one stops only
when neither sends to it any more.
"""

import asyncio
from typing import TYPE_CHECKING, Any

from bandstand.clock import monotonic
from bandstand.fleet.jobs import service_jobs
from bandstand.fleet.keys import ensure_keys
from bandstand.fleet.manifest import read_manifest
from bandstand.fleet.unit import Job, StartFailed, Unit

if TYPE_CHECKING:
    from bandstand.fleet.launcher import Launcher

__all__ = ["reload_fleet", "restart_units"]

# Discovery looks at the registry file at most every 50 ms: who was withdrawn there may still be asked for that long.
_REGISTRY_SETTLES = 0.1


async def restart_units(launcher: "Launcher", name: str) -> dict[str, Any]:
    """Replace the processes of a service one by one; what has a fixed port is stopped, then started."""
    chosen = [unit for unit in launcher.units.values() if name in (unit.job.name, unit.job.service)]
    if not chosen:
        return {"error": f"there is no {name!r} in this fleet; there are {', '.join(launcher.units)}", "unknown": True}
    began = monotonic()
    for unit in chosen:
        await _replace(launcher, unit)
    return {"restarted": [unit.job.name for unit in chosen], "seconds": round(monotonic() - began, 3)}


async def _replace(launcher: "Launcher", unit: Unit) -> None:
    if unit.job.port is not None:
        await unit.bounce()
        return
    swapped = await unit.replace()
    if swapped is None:
        return
    old, new = swapped
    await launcher.gateway.wait_for(unit.job.service, present=[new.address], absent=[old.address])
    await asyncio.sleep(_REGISTRY_SETTLES)
    await unit.retire(old)


async def reload_fleet(launcher: "Launcher") -> dict[str, Any]:
    """Read the manifest again: start what is new, stop what is gone, replace what is declared differently.

    Raises ConfigurationError, and changes nothing, when the manifest is wrong. Backing servers stay as they are.
    """
    began = monotonic()
    before, after = launcher.fleet.services, read_manifest(launcher.fleet.file)
    removed = [name for name in before if name not in after.services]
    added = [name for name in after.services if name not in before]
    changed = [name for name in after.services if name in before and after.services[name] != before[name]]
    launcher.open_databases(after)
    launcher.fleet = after
    # What leaves is unreachable first and stopped then; what comes is reachable as soon as it is ready.
    launcher.gateway.write_routes(after.routes, timeout_seconds=after.gateway.timeout_seconds)
    await asyncio.gather(*(_remove(launcher, name) for name in removed))
    ensure_keys(launcher.data, after.services)
    launcher.gateway.write_clusters(after.services)
    jobs = list(service_jobs(after, launcher.data, outer=launcher.outer, urls=launcher.urls))
    for name in added:
        launcher.directory.add(name)
    fresh = [launcher.employ(job) for job in jobs if job.name not in launcher.units]
    await asyncio.gather(*(unit.until_ready() for unit in fresh))
    for job in jobs:
        if job.service in changed:
            try:
                await _exchange(launcher, launcher.units[job.name], job)
            except StartFailed:
                after.services[job.service] = before[job.service]  # the next reload shall try again
                raise
    await _dismiss_surplus(launcher, {job.name for job in jobs})
    answer = {"added": added, "changed": changed, "removed": removed, "seconds": round(monotonic() - began, 3)}
    return {**answer, "refused": await launcher.gateway.refusals()}


async def _exchange(launcher: "Launcher", unit: Unit, job: Job) -> None:
    """Replace a unit's processes by those of another job; the old ones stay when the new ones do not start."""
    old, unit.job = unit.job, job
    try:
        await _replace(launcher, unit)
    except StartFailed:
        unit.job = old
        raise


async def _dismiss_surplus(launcher: "Launcher", wanted: set[str]) -> None:
    """Stop the replicas that the manifest no longer names."""
    surplus = [unit for name, unit in launcher.units.items() if unit.job.service and name not in wanted]
    for unit in surplus:
        addresses = list(unit.addresses)
        unit.withdraw()
        await launcher.gateway.wait_for(unit.job.service, absent=addresses)
    await asyncio.gather(*(unit.stop() for unit in surplus))
    for unit in surplus:
        del launcher.units[unit.job.name]


async def _remove(launcher: "Launcher", service: str) -> None:
    units = [unit for unit in launcher.units.values() if unit.job.service == service]
    addresses = list(launcher.directory[service])
    for unit in units:
        unit.withdraw()
    await launcher.gateway.wait_for(service, absent=addresses)
    await asyncio.sleep(_REGISTRY_SETTLES)
    await asyncio.gather(*(unit.stop() for unit in units))
    for unit in units:
        del launcher.units[unit.job.name]
    launcher.directory.remove(service)
