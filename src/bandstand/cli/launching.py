"""Start a launcher in a process of its own and watch it come up."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from bandstand.cli.failures import Exit, Failure
from bandstand.cli.options import Selection
from bandstand.cli.output import say
from bandstand.clock import monotonic, sleep
from bandstand.fleet.control import NotRunning, ask_launcher
from bandstand.fleet.layout import DataFolder
from bandstand.fleet.process import die_with

__all__ = ["run_launcher"]

_UP_SECONDS = 90.0


def run_launcher(
    selection: Selection,
    *,
    port: int,
    seed: bool,
    profile: str,
    bound: bool = False,
    env: Mapping[str, str] | None = None,
) -> int:
    """Start a launcher in a session of its own, show its progress, and return its pid when the fleet is up.

    A *bound* one drains when this process ends, however it ends; any other stays. *env* is added to its environment.
    Ends the verb with the launcher's own message and exit code when it does not come up.
    """
    data = selection.data
    command = [sys.executable, "-m", "bandstand.cli", "up", "--port", str(port), "--data", str(data.root)]
    command += ["--fleet", str(selection.fleet.file), "--profile", profile] + ([] if seed else ["--no-seed"])
    log = data.log("launcher")
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with log.open("wb+") as output:
        launcher = subprocess.Popen(  # noqa: S603 - this very program
            command,
            env={**selection.outer, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with(os.getpid(), signal.SIGTERM) if bound else None,  # noqa: PLW1509 - one thread
        )
    try:
        _watch(launcher, data, log)
    except BaseException:
        launcher.terminate()
        raise
    launcher.returncode = 0  # it is meant to outlive this process: no warning about it
    return launcher.pid


def _watch(launcher: "subprocess.Popen[bytes]", data: DataFolder, log: Path) -> None:
    until, shown = monotonic() + _UP_SECONDS, 0
    while launcher.poll() is None and not _is_up(data, launcher.pid):
        if monotonic() > until:
            raise Failure(f"the fleet was not up in {_UP_SECONDS:.0f} s; see {log}", Exit.UNHEALTHY)
        shown += _show(log, shown)
        sleep(0.05)
    _show(log, shown)
    if launcher.returncode is not None:
        problem = log.read_text(encoding="utf-8").partition("Error: ")[2].rstrip()
        raise Failure(problem or f"the launcher ended; see {log}", Exit(launcher.returncode or Exit.FAILED))


def _show(log: Path, start: int) -> int:
    """Print the whole progress lines behind *start*, up to an error; returns how many bytes they took."""
    fresh = log.read_bytes()[start:].partition(b"Error: ")[0]
    whole = fresh[: fresh.rfind(b"\n") + 1]
    if whole:
        say(whole.decode("utf-8", "replace").rstrip("\n"))
    return len(whole)


def _is_up(data: DataFolder, pid: int) -> bool:
    with suppress(NotRunning, OSError):
        answer = ask_launcher(data, {"do": "is_up"}, timeout=5)
        return bool(answer["pid"] == pid and answer["up"])
    return False
