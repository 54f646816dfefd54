"""Restate: a server with a log of its own, from npm, and a service written with its Python SDK."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import urllib3

from bandstand.engines.ports import free_port
from benchmarks.report import ROOT, Figures
from benchmarks.sagas import shop
from benchmarks.sagas.loop import closed_loop

SERVER = "1.7.12"
_TO_START_SECONDS, _TO_STOP_SECONDS = 60, 10


@contextmanager
def serving(place: Path) -> Iterator[str]:
    """A fresh server with its defaults, by which its log is on disk, and the service; the URL for clients."""
    binary = _installed(place / "restate")
    data = place / f"restate-{time.time_ns()}"
    ingress, admin, node, service = (free_port() for _ in range(4))
    environment = os.environ | {
        "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}",
        "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{admin}",
        "RESTATE_BIND_ADDRESS": f"127.0.0.1:{node}",
        "RESTATE_ADVERTISED_ADDRESS": f"http://127.0.0.1:{node}",
        "RESTATE_LISTEN_MODE": "tcp",
        "RESTATE_DISABLE_TELEMETRY": "true",
    }
    hypercorn = [sys.executable, "-m", "hypercorn", "--workers", "1", "--bind", f"127.0.0.1:{service}"]
    with (
        _running([str(binary), "--base-dir", str(data)], environment, place / "restate.log"),
        _running([*hypercorn, "benchmarks.sagas.restate_service:app"], {**os.environ}, place / "hypercorn.log"),
    ):
        _register(f"http://127.0.0.1:{admin}", f"http://127.0.0.1:{service}")
        yield f"http://127.0.0.1:{ingress}"


def restate_saga(ingress: str, clients: int, seconds: float) -> Figures:
    """A closed loop: each client calls the service through Restate and gets its answer when all is done."""
    http = urllib3.PoolManager(maxsize=clients, block=True, retries=False, timeout=30)
    body, headers = json.dumps(shop.CONTEXT), {"content-type": "application/json"}

    def one() -> None:
        answer = http.request("POST", f"{ingress}/orders/process", body=body, headers=headers)
        assert answer.status == 200, answer.data

    found = closed_loop(one, clients=clients, seconds=seconds)
    del found["cpu_ms_per_saga"]  # the steps run elsewhere
    return found


def _installed(folder: Path) -> Path:
    """Restate's server in a folder that goes away with the run; npm keeps what it has downloaded."""
    binary = folder / "node_modules" / ".bin" / "restate-server"
    if not binary.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [
            "npm",
            "install",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
            f"@restatedev/restate-server@{SERVER}",
        ]
        try:
            subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        except (OSError, subprocess.CalledProcessError) as error:
            raise RuntimeError("Restate's server could not be installed with npm") from error
    return binary


@contextmanager
def _running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[None]:
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(_TO_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _register(admin: str, service: str) -> None:
    """Tell Restate where the service is, once both answer."""
    http = urllib3.PoolManager(retries=False, timeout=10)
    deadline = time.monotonic() + _TO_START_SECONDS
    while time.monotonic() < deadline:
        with suppress(urllib3.exceptions.HTTPError):
            body = json.dumps({"uri": service})
            answer = http.request(
                "POST", f"{admin}/deployments", body=body, headers={"content-type": "application/json"}
            )
            if answer.status in (200, 201):
                return
        time.sleep(0.2)
    raise RuntimeError("Restate did not accept the service")
