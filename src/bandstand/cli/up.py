"""`bandstand up`."""

import asyncio
import os
import subprocess
import sys
from typing import Any

import click

from bandstand.cli.failures import Exit, Failure
from bandstand.cli.options import Selection, fleet_options
from bandstand.cli.output import mark, mebibytes, say
from bandstand.clock import monotonic, sleep
from bandstand.fleet.control import NotRunning, ask_launcher
from bandstand.fleet.launcher import Launcher
from bandstand.fleet.layout import DataFolder
from bandstand.fleet.proc import pss_bytes
from bandstand.fleet.status import memory_of
from bandstand.fleet.unit import StartFailed

__all__ = ["command", "run_detached"]

_DETACH_SECONDS = 90.0


@click.command("up")
@fleet_options
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="The gateway's port.")
@click.option("--detach", is_flag=True, help="Return when the fleet is ready and leave it running.")
@click.option("--seed/--no-seed", default=True, show_default=True, help="Fill the shop once it is up.")
def command(selection: Selection, port: int, detach: bool, seed: bool) -> int:
    """Start the fleet and keep it running; Ctrl-C drains it, a second one kills it."""
    if detach:
        run_detached(selection, port=port, seed=seed)
        return Exit.OK
    fleet, data = selection.fleet, selection.data
    launcher = Launcher(fleet, data, port=port, outer=selection.outer, report=_report)
    return asyncio.run(_run(launcher, seed=seed))


async def _run(launcher: Launcher, *, seed: bool) -> int:
    try:
        await launcher.start()
        if seed and not launcher.is_leaving:
            await launcher.seed()
    except StartFailed as error:
        await launcher.stop()
        raise Failure(str(error), Exit.UNHEALTHY) from None
    if not launcher.is_leaving:
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


def run_detached(selection: Selection, *, port: int, seed: bool = True) -> int:
    """Start a launcher in a session of its own and wait until its fleet is up; returns its pid.

    Ends the verb with the launcher's own message and exit code when it does not come up.
    """
    data = selection.data
    command = [sys.executable, "-m", "bandstand.cli", "up", "--port", str(port), "--data", str(data.root)]
    command += ["--fleet", str(selection.fleet.file)] + ([] if seed else ["--no-seed"])
    data.log("launcher").parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with data.log("launcher").open("wb+") as output:
        launcher = subprocess.Popen(  # noqa: S603 - this very program
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    until = monotonic() + _DETACH_SECONDS
    while launcher.poll() is None and not _is_up(data, launcher.pid):
        if monotonic() > until:
            launcher.terminate()
            raise Failure(
                f"the fleet was not up in {_DETACH_SECONDS:.0f} s; see {data.log('launcher')}", Exit.UNHEALTHY
            )
        sleep(0.05)
    said = data.log("launcher").read_text(encoding="utf-8").rstrip()
    progress, _, problem = said.partition("Error: ")
    say(progress.rstrip())
    if launcher.returncode is not None:
        raise Failure(problem or f"the launcher ended; see {data.log('launcher')}", Exit(launcher.returncode or 1))
    launcher.returncode = 0  # it is meant to outlive this process: no warning about it
    return launcher.pid


def _is_up(data: DataFolder, pid: int) -> bool:
    try:
        answer = ask_launcher(data, {"do": "is_up"}, timeout=5)
    except (NotRunning, OSError):
        return False
    return bool(answer["pid"] == pid and answer["up"])
