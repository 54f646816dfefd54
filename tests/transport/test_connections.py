"""Connections: kept, shared by threads, found dead before use, and never carried over a fork."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import psutil
import pytest
from django.test import override_settings
from tests.transport.servers import Connection, answer, echo_path, serving

from bandstand import transport
from bandstand.transport import ClientConfig, Request, Transport


@pytest.fixture(params=["pyreqwest", "urllib3"])
def made(request: pytest.FixtureRequest) -> Iterator[Transport]:
    made = transport.make(ClientConfig(transport=request.param))
    yield made
    made.close()


def get(url: str, method: str = "GET", body: bytes | None = None) -> Request:
    return Request(method=method, url=url, timeout=5, body=body)


def test_a_connection_is_used_again(made: Transport) -> None:
    with serving(echo_path) as server:
        for number in range(20):
            assert made.send(get(f"{server.url}/{number}")).body == f'"/{number}"'.encode()
        assert server.count == 1


@pytest.mark.parametrize("end", ["closed", "reset"])
def test_an_idle_connection_that_died_is_replaced_before_a_post_is_written(made: Transport, end: str) -> None:
    """How a restarted peer looks: the old connection must not cost a request."""
    gone = threading.Event()

    def script(connection: Connection) -> None:
        connection.request()
        connection.send(answer(b"%d" % connection.number))
        if connection.number == 1:
            if end == "reset":
                connection.reset()
            else:
                connection.sock.close()
            gone.set()
        else:
            connection.done.wait(10)

    with serving(script) as server:
        assert made.send(get(server.url, "POST", b"{}")).body == b"1"
        assert gone.wait(5)
        _until_noticed(made, server.url)
        assert made.send(get(server.url, "POST", b"{}")).body == b"2"
        assert server.count == 2


def _until_noticed(made: Transport, url: str) -> None:
    """Wait until the client has seen the end of its connection: a write before that is a write into the unknown.

    urllib3 looks when it takes a connection out of its pool; pyreqwest on a thread of its own, in its own time.
    """
    if made.name != "pyreqwest":
        return
    port, deadline = urlsplit(url).port, time.monotonic() + 5
    while any(each.raddr and each.raddr.port == port for each in psutil.Process().net_connections("tcp")):
        assert time.monotonic() < deadline, "the end of the connection went unnoticed"
        threading.Event().wait(0.005)


def test_many_threads_get_each_their_own_answer(made: Transport) -> None:
    with serving(echo_path) as server, ThreadPoolExecutor(16) as pool:
        paths = [f"/{number}" for number in range(320)]
        answers = list(pool.map(lambda path: made.send(get(server.url + path)).body.decode(), paths))
        assert answers == [f'"{path}"' for path in paths]
        # pyreqwest connects while it waits for a free connection, and keeps whichever comes second for the next.
        assert server.count <= 32


def test_a_closed_transport_opens_again(made: Transport) -> None:
    with serving(echo_path) as server:
        made.send(get(server.url))
        made.close()
        assert made.send(get(f"{server.url}/again")).body == b'"/again"'
        assert server.count == 2


def test_one_transport_is_shared_and_follows_the_setting() -> None:
    with override_settings(BANDSTAND={"CLIENT": {"TRANSPORT": "urllib3"}}):
        first = transport.shared()
        assert first.name == "urllib3"
        assert transport.shared() is first
    assert transport.shared().name == "pyreqwest"


FORK = """
import json, os, sys
import django
django.setup()
from django.test import override_settings
from bandstand import transport

name, used, url = sys.argv[1], sys.argv[2] == "used", sys.argv[3]
request = lambda path: transport.Request(method="GET", url=url + path, timeout=5)
with override_settings(BANDSTAND={"CLIENT": {"TRANSPORT": name}}):
    if used:
        transport.shared().send(request("/parent"))
    pid = os.fork()
    if pid == 0:
        shared = transport.shared()
        print(json.dumps([shared.name, shared.send(request("/child")).body.decode()]), flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
    if used:
        print(json.dumps(transport.shared().send(request("/parent-again")).body.decode()), flush=True)
"""


@pytest.mark.parametrize(
    ("name", "used", "child"),
    [
        ("", False, "pyreqwest"),
        ("", True, "urllib3"),
        ("pyreqwest", False, "pyreqwest"),
        ("urllib3", False, "urllib3"),
        ("urllib3", True, "urllib3"),
    ],
)
def test_a_forked_process_has_connections_of_its_own(name: str, used: bool, child: str) -> None:
    """A native runtime does not survive a fork; where the parent had one, the child falls back by itself."""
    with serving(echo_path) as server:
        done = subprocess.run(
            [sys.executable, "-c", FORK, name, "used" if used else "fresh", server.url],
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.project.settings"},
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert lines[0] == [child, '"/child"']
        assert lines[1:] == (['"/parent-again"'] if used else [])
        assert server.count == (2 if used else 1)
