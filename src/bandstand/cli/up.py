"""`bandstand up`."""

import asyncio
import os
from typing import Any

import click

from bandstand.cli.failures import Exit, Failure
from bandstand.cli.launching import run_launcher
from bandstand.cli.options import Selection, fleet_options, profile_option
from bandstand.cli.output import mark, mebibytes, say
from bandstand.config import ConfigurationError
from bandstand.fleet.launcher import Launcher, Options
from bandstand.fleet.proc import pss_bytes
from bandstand.fleet.status import memory_of
from bandstand.fleet.unit import StartFailed

__all__ = ["command"]


@click.command("up")
@fleet_options
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="The gateway's port.")
@profile_option
@click.option("--detach", is_flag=True, help="Return when the fleet is ready and leave it running.")
@click.option("--seed/--no-seed", default=True, show_default=True, help="Fill the shop once it is up.")
def command(selection: Selection, port: int, profile: str, detach: bool, seed: bool) -> int:
    """Start the fleet and keep it running; Ctrl-C drains it, a second one kills it."""
    if detach:
        run_launcher(selection, port=port, seed=seed, profile=profile)
        return Exit.OK
    fleet, data = selection.fleet, selection.data
    options = Options(port=port, outer=selection.outer, profile=profile)
    launcher = Launcher(fleet, data, options=options, report=_report)
    return asyncio.run(_run(launcher, seed=seed))


async def _run(launcher: Launcher, *, seed: bool) -> int:
    try:
        await launcher.start()
        if seed and not launcher.is_leaving:
            await launcher.seed()
    except StartFailed as error:
        await launcher.stop()
        raise Failure(str(error), Exit.UNHEALTHY) from None
    except ConfigurationError:
        if launcher.units:
            await launcher.stop()
        raise
    if launcher.is_leaving:
        await launcher.stop()
        return Exit.INTERRUPTED
    _welcome(launcher)
    launcher.announce_up()
    await launcher.wait()
    return Exit.OK if await launcher.stop() else Exit.INTERRUPTED


def _welcome(launcher: Launcher) -> None:
    total = pss_bytes(os.getpid()) + sum(memory_of(unit) for unit in launcher.units.values())
    say(f"  → gateway  {launcher.url}")
    if launcher.data.seeded.exists():
        say("  → login    demo@example.com / demo-Passw0rd!   staff@example.com / staff-Passw0rd!")
    first, *others = launcher.fleet.services
    say(f"  → API docs {launcher.url}/api/v1/docs/{first}/   also: {', '.join(others)}")
    say(f"  → memory   {mebibytes(total)} (PSS, everything)          Ctrl-C drains gracefully")


def _report(event: str, facts: dict[str, Any]) -> None:
    match event:
        case "ready":
            memory = mebibytes(facts["memory"])
            say(f"  {mark(good=True)} {facts['name']:15} ready {facts['seconds']:6.2f} s  {memory:>8}")
        case "databases":
            say(f"  {mark(good=True)} databases       {len(facts['urls'])} of them {facts['seconds']:6.2f} s")
        case "down":
            say(f"  {mark(good=False)} {facts['name']:15} {facts['state']}")
        case "up":
            say(f"  {mark(good=True)} fleet           up    {facts['seconds']:6.2f} s")
        case "seeded":
            say(f"  {mark(good=True)} shop            seeded{facts['seconds']:6.2f} s")
        case "draining":
            say("  draining, a second Ctrl-C kills …")
        case "stopped":
            say("  stopped")
