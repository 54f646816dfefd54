"""A process that has everything imported and forks actors, so that one is at work milliseconds after it was killed.

`Zygote` is the handle of whoever stages a trial; `python -m tests.trials.zygote SERVICE SCENE` is the process. It never
opens a connection and has one thread, so that what it forks begins clean.
"""

import json
import os
import signal
import subprocess
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bandstand.service.processes import die_with_parent
from tests.trials.actor import ROLES, configure
from tests.trials.scene import Scene

__all__ = ["Actor", "Zygote"]

_ROOT = Path(__file__).parent.parent.parent


class Zygote:
    """The processes of one service. Whatever they log lies in the folder of the scene."""

    def __init__(self, service: str, scene: Scene) -> None:
        command = [sys.executable, "-m", "tests.trials.zygote", service, json.dumps(asdict(scene))]
        self.log = Path(scene.folder) / f"{service}.log"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=_ROOT, text=True
            )

    def start(self, role: str, **options: Any) -> "Actor":
        """Fork a process that plays *role*."""
        return Actor(self, self.ask("fork", role=role, options=options))

    def ask(self, order: str, **options: Any) -> Any:
        """Have the process do something and return its answer. Raises RuntimeError with its log when it is gone."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"order": order, **options}) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise RuntimeError(f"the zygote has died:\n{self.log.read_text()[-2000:]}")
        return json.loads(answer)

    def close(self) -> None:
        """End it; the kernel kills what it has forked."""
        self._process.communicate()


class Actor:
    """A forked process. It stays a zombie until its end was seen, so that no other gets its pid meanwhile."""

    def __init__(self, zygote: Zygote, pid: int) -> None:
        self._zygote = zygote
        self._pid = pid
        self._status: int | None = None

    def kill(self) -> None:
        """SIGKILL, and wait until it is dead."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Let it end in good order; its exit status."""
        self._end(signal.SIGTERM)
        return int(self._status or 0)

    def status(self) -> int | None:
        """Its exit status, negative for a signal, or None while it lives."""
        if self._status is None:
            self._status = self._zygote.ask("poll", pid=self._pid)
        return self._status

    def _end(self, number: signal.Signals) -> None:
        if self._status is None:
            self._status = self._zygote.ask("end", pid=self._pid, number=number)


def serve(service: str, scene: Scene) -> None:
    """Obey orders until the input ends."""
    configure(service, scene)
    for line in sys.stdin:
        print(json.dumps(_obey(scene, **json.loads(line))), flush=True)


def _obey(scene: Scene, *, order: str, **options: Any) -> int | None:
    if order == "fork":
        return _fork(scene, **options)
    if order == "end":
        os.kill(options["pid"], options["number"])
        return _waited(options["pid"], 0)
    return _waited(options["pid"], os.WNOHANG)


def _waited(pid: int, how: int) -> int | None:
    ended, status = os.waitpid(pid, how)
    return os.waitstatus_to_exitcode(status) if ended else None


def _fork(scene: Scene, *, role: str, options: dict[str, Any]) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        die_with_parent(parent)
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        ROLES[role](scene, **options)
        status = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os._exit(status)


if __name__ == "__main__":
    serve(sys.argv[1], Scene(**json.loads(sys.argv[2])))
