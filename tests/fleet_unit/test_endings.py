"""However a launcher ends, at whatever moment, nothing of its fleet stays behind."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bandstand.clock import monotonic
from tests.fleet_unit.fleets import MANIFEST, Fleet, is_gone, kill, until


def launch(fleet: Fleet, *words: str) -> "subprocess.Popen[bytes]":
    """`bandstand up` in the foreground."""
    command = [sys.executable, "-m", "bandstand.cli", "up", "--port", str(fleet.port), "--data", str(fleet.data),
               "--fleet", str(fleet.folder / "fleet.toml"), *words]  # fmt: skip
    log = (fleet.folder / "up.log").open("wb")
    with log:
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)


def members(fleet: Fleet) -> list[int]:
    """Every living process that works for the fleet: it names its folder in its environment or command line."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                text = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
            except OSError:  # it has ended meanwhile
                continue
            if os.fsencode(str(fleet.data)) in text and not is_gone(int(process.name)):
                found.append(int(process.name))
    return found


@pytest.mark.parametrize("seed", range(8))
def test_a_launcher_killed_at_a_random_moment_leaves_nothing(make_fleet: Callable[..., Fleet], seed: int) -> None:
    """From the first spawn on; the moment is drawn anew in each run, and a failure names it."""
    fleet = make_fleet()
    moment = random.Random(f"{seed}-{os.getpid()}").uniform(0.1, 0.8)
    launcher = launch(fleet)
    end = monotonic() + moment
    until(lambda: monotonic() > end)
    launcher.kill()
    launcher.wait()
    until(lambda: not members(fleet), seconds=2, what=f"nothing left after a kill at {moment:.3f} s")


def test_a_second_interrupt_kills_what_does_not_end(make_fleet: Callable[..., Fleet]) -> None:
    stubborn = (
        '\n[services.stubborn]\ncommand = ["{{python}}", "{standin}", "{{port}}"]\n'
        'env = {{ STANDIN_NAME = "stubborn", STANDIN_STUBBORN = "1" }}\ngrace_seconds = 60\n'
    )
    fleet = make_fleet(manifest=MANIFEST + stubborn)
    launcher = launch(fleet)
    until(lambda: "memory" in (fleet.folder / "up.log").read_text())
    kill(launcher.pid, signal.SIGINT)
    until(lambda: "draining" in (fleet.folder / "up.log").read_text())
    assert launcher.poll() is None
    kill(launcher.pid, signal.SIGINT)
    assert launcher.wait(timeout=5) == 130
    assert members(fleet) == []


def test_a_closed_terminal_drains_the_fleet(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet()
    launcher = launch(fleet)
    until(lambda: "memory" in (fleet.folder / "up.log").read_text())
    kill(launcher.pid, signal.SIGHUP)
    assert launcher.wait(timeout=10) == 0
    assert members(fleet) == []


def test_an_interrupt_while_starting_ends_the_start(make_fleet: Callable[..., Fleet]) -> None:
    never = MANIFEST + '[services.never]\ncommand = ["{{python}}", "-c", "import signal; signal.pause()"]\n'
    fleet = make_fleet(manifest=never)
    launcher = launch(fleet)
    until(lambda: "orders" in (fleet.folder / "up.log").read_text())
    kill(launcher.pid, signal.SIGINT)
    assert launcher.wait(timeout=10) == 130
    assert members(fleet) == []
