"""Servers for the tests of the Redis bus."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bandstand import clock
from bandstand.engines.ports import free_port
from bandstand.engines.valkey import Valkey


@contextmanager
def installed_server(name: str, folder: Path, *options: str) -> Iterator[str]:
    """The URL of a server of the operating system, for as long as the block lasts."""
    binary = shutil.which(name)
    if binary is None:
        pytest.skip(f"{name} is not installed")
    engine, port = Valkey(), free_port()
    words = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", *options]
    process = subprocess.Popen([binary, *words], stdout=subprocess.DEVNULL)
    try:
        deadline = clock.monotonic() + 20
        while not engine.is_ready(port):
            assert clock.monotonic() < deadline, f"{name} did not start"
            clock.sleep(0.02)
        yield engine.url(port)
    finally:
        process.kill()
        process.wait()
