"""`bandstand down`."""

import os
import signal
from contextlib import suppress

import click

from bandstand.cli.failures import Exit, Failure
from bandstand.cli.options import Selection, fleet_options, question
from bandstand.cli.output import mark, say
from bandstand.clock import monotonic, sleep

__all__ = ["command", "take_down"]


@click.command("down")
@fleet_options
@click.option("--timeout", default=40.0, show_default=True, help="Seconds to wait until everything has ended.")
def command(selection: Selection, timeout: float) -> None:
    """Drain and stop the fleet: no new requests, finish what runs, then end."""
    take_down(selection, timeout=timeout)


def take_down(selection: Selection, *, timeout: float, pid: int = 0) -> None:
    """Ask the launcher to stop and wait until it has; *pid*: signal that launcher when it answers no more."""
    began = monotonic()
    try:
        pid = question(selection, {"do": "down"})["pid"]
    except Failure:
        if not pid or not _is_alive(pid):
            raise
        os.kill(pid, signal.SIGTERM)
    while monotonic() - began < timeout:
        if not _is_alive(pid):
            say(f"{mark(good=True)} stopped in {monotonic() - began:.1f} s")
            return
        sleep(0.05)
    raise Failure(
        f"the launcher (pid {pid}) still runs after {timeout:g} s; `kill {pid}` makes it hurry", Exit.UNHEALTHY
    )


def _is_alive(pid: int) -> bool:
    with suppress(OSError):
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:  # noqa: PTH123
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    return False
