"""Fleets of stand-ins for the tests: real launcher, real gateway, tiny services."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from bandstand.clock import monotonic, sleep
from bandstand.engines.ports import free_port

STANDIN = Path(__file__).with_name("standin.py")
MANIFEST = """
name = "test"
[services.users]
command = ["{{python}}", "{standin}", "{{port}}"]
env = {{ STANDIN_NAME = "users" }}
routes = ["/api/v1/users/", "/.well-known/jwks.json"]
[services.orders]
command = ["{{python}}", "{standin}", "{{port}}"]
env = {{ STANDIN_NAME = "orders" }}
routes = ["/api/v1/orders/", "GET /api/v1/users/{{id}}/orders/"]
"""


def until(condition: Callable[[], Any], *, seconds: float = 30.0, what: str = "", pause: float = 0.02) -> Any:
    """The first true value of *condition*, asked for after each *pause*; fails after *seconds*."""
    end = monotonic() + seconds
    while monotonic() < end:
        found = condition()
        if found:
            return found
        sleep(pause)
    raise AssertionError(f"{what or 'it'} did not come true within {seconds} s")


def is_gone(pid: int) -> bool:
    """Whether the process has ended; an orphan that nobody reaped yet has ended too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def bandstand(*words: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> Any:
    """Run the command line as a person would."""
    command = [sys.executable, "-m", "bandstand.cli", *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=cwd, timeout=120, env={**os.environ, **(env or {})}
    )


class Fleet:
    """One fleet on one folder."""

    def __init__(self, folder: Path, manifest: str = MANIFEST) -> None:
        self.folder = folder
        self.data = folder / ".bandstand"
        self.port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "fleet.toml").write_text(manifest.format(standin=STANDIN))

    def run(self, verb: str, *words: str, env: dict[str, str] | None = None) -> Any:
        """Run a verb on this fleet."""
        return bandstand(verb, *words, "--fleet", self.folder / "fleet.toml", "--data", self.data, env=env)

    def up(self) -> None:
        """Bring it up, detached."""
        done = self.run("up", "--detach", "--port", str(self.port))
        assert done.returncode == 0, done.stderr

    @property
    def status(self) -> dict[str, Any]:
        """The status document."""
        found: dict[str, Any] = json.loads(self.run("status", "--json").stdout)
        return found

    def pid_of(self, name: str) -> int:
        """The pid of a process."""
        return int(next(entry["pid"] for entry in self.status["processes"] if entry["name"] == name))

    def ask(
        self, path: str, *, method: str = "GET", body: Any = None, headers: Any = None
    ) -> tuple[int, dict[str, str], Any]:
        """One request through the gateway, on a connection of its own."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, found, json.loads(text) if text else None

    def down(self) -> None:
        """Stop it, whatever state it is in."""
        self.run("down")

    @contextmanager
    def load(self, path: str, *, clients: int = 4) -> Iterator[list[int | str]]:
        """Ask *path* from several keep-alive clients at once; yields what came back, one entry for each request."""
        answers: list[int | str] = []
        stop = threading.Event()

        def client() -> None:
            connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
            while not stop.is_set():
                try:
                    connection.request("POST", path, b"{}")
                    answer = connection.getresponse()
                    answer.read()
                    answers.append(answer.status)
                except (OSError, HTTPException) as error:
                    answers.append(type(error).__name__)
                    connection.close()
            connection.close()

        threads = [threading.Thread(target=client) for _ in range(clients)]
        for thread in threads:
            thread.start()
        try:
            yield answers
        finally:
            stop.set()
            for thread in threads:
                thread.join()


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to one process."""
    os.kill(pid, number)
