"""The articles' service clients, checklist 67-82, R8-R10: each fault shown on a few lines, and mended in ours."""

import json
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path
from time import perf_counter

import jwt
import pytest
import urllib3
from django.test import override_settings
from tests.transport.servers import Connection, answer, serving
from urllib3.exceptions import MaxRetryError
from urllib3.util.retry import Retry

from bandstand import clock, context
from bandstand.auth.keys import generate_key
from bandstand.client import ServiceClient
from bandstand.context import Context
from bandstand.errors import NotFound, ServiceError, ServiceHTTPError, ServiceTimeoutError, ServiceUnavailable

users = ServiceClient("users")

FORCELIST = [429, 500, 502, 503, 504]


@pytest.fixture(autouse=True)
def unbounded() -> Iterator[None]:
    with context.bound(Context()):
        yield


def known(**services: str) -> override_settings:
    section = {"SERVICES": services}
    return override_settings(BANDSTAND={"SERVICE": {"NAME": "orders"}, "DISCOVERY": section})


def naive_pool(timeout: float = 5.0) -> urllib3.PoolManager:
    """What `requests.Session` with the articles' `Retry` does underneath; without its pauses."""
    retry = Retry(total=3, backoff_factor=0, status_forcelist=FORCELIST)
    return urllib3.PoolManager(retries=retry, timeout=timeout)


class Requests:
    """A script that remembers what it was asked and answers as told."""

    def __init__(self, reply: Callable[[bytes], bytes]) -> None:
        self.reply = reply
        self.seen: list[bytes] = []

    def __call__(self, connection: Connection) -> None:
        while (request := connection.request()) is not None:
            self.seen.append(request)
            connection.send(self.reply(request))

    @property
    def methods(self) -> list[str]:
        return [each.split(b" ")[0].decode() for each in self.seen]


def test_r8_a_redirected_post_is_an_error_and_not_a_get() -> None:
    def orders(request: bytes) -> bytes:
        if request.startswith(b"POST /orders "):
            return answer(status="301 Moved Permanently", headers="Location: /orders/\r\n")
        return answer(b'{"results":[]}')

    script = Requests(orders)
    with serving(script) as server:
        naive = urllib.request.Request(f"{server.url}/orders", data=b"{}", method="POST")
        with urllib.request.urlopen(naive, timeout=5) as reply:
            assert json.loads(reply.read()) == {"results": []}
        assert script.methods == ["POST", "GET"]
        with known(users=server.url), pytest.raises(ServiceHTTPError) as caught:
            users.post("/orders", body={})
        assert caught.value.status_code == 301
        assert script.methods == ["POST", "GET", "POST"]


def test_r9_retries_end_in_a_typed_error_and_a_keyed_post_has_them_too() -> None:
    script = Requests(lambda _: answer(status="503 Busy"))
    with serving(script) as server:
        with pytest.raises(MaxRetryError):
            naive_pool().request("GET", server.url)
        assert naive_pool().request("POST", server.url).status == 503
        assert script.methods == ["GET"] * 4 + ["POST"]
        script.seen.clear()
        with known(users=server.url):
            with pytest.raises(ServiceUnavailable):
                users.get("/")
            with pytest.raises(ServiceUnavailable):
                users.post("/", idempotency_key="key-12345")
        assert script.methods == ["GET"] * 3 + ["POST"] * 3


def test_r10_a_hanging_service_costs_one_deadline_and_is_called_a_timeout() -> None:
    def hangs(connection: Connection) -> None:
        connection.request()
        connection.done.wait(20)

    with serving(hangs) as server:
        with pytest.raises(MaxRetryError):
            naive_pool(timeout=0.1).request("GET", server.url)
        assert server.count == 4
        with known(users=server.url), pytest.raises(ServiceTimeoutError):
            users.get("/", timeout=timedelta(seconds=0.3))
        assert server.count == 5


def test_67_a_call_without_a_timeout_never_returns_and_ours_cannot_be_made() -> None:
    def hangs(connection: Connection) -> None:
        connection.request()
        connection.done.wait(20)

    ended: Future[None] = Future()

    def naive(url: str) -> None:
        with pytest.raises((OSError, urllib.error.URLError)):
            urllib.request.urlopen(url)
        ended.set_result(None)

    with serving(hangs) as server:
        thread = threading.Thread(target=naive, args=(server.url,))
        thread.start()
        started = perf_counter()
        soon = Context(deadline=clock.monotonic() + 0.3)
        with known(users=server.url), context.bound(soon), pytest.raises(ServiceTimeoutError):
            users.get("/")
        assert perf_counter() - started < 2
        assert not ended.done()
    thread.join(10)
    assert ended.done()


def test_67_an_unknown_service_is_an_error_that_callers_catch() -> None:
    def naive_call(service: str) -> object:
        try:
            raise Exception(f"Service {service} not found")  # noqa: TRY002
        except (urllib3.exceptions.HTTPError, OSError):
            return None

    with pytest.raises(Exception, match="not found"):
        naive_call("users")
    with known(), pytest.raises(ServiceError):
        users.get("/")


def test_69_retry_after_cannot_park_a_worker() -> None:
    script = Requests(lambda _: answer(status="503 Busy", headers="Retry-After: 3600\r\n"))
    with serving(script) as server:
        reply = urllib3.request("GET", server.url, retries=False)
        assert Retry(3, status_forcelist=FORCELIST).get_retry_after(reply) == 3600
        started = perf_counter()
        with known(users=server.url), pytest.raises(ServiceUnavailable):
            users.get("/")
        assert perf_counter() - started < 2


def test_69_the_retries_of_many_callers_do_not_come_together() -> None:
    naive = [Retry(3, backoff_factor=1).increment("GET", "/", error=OSError()) for _ in range(100)]
    assert len({retry.get_backoff_time() for retry in naive}) == 1
    from bandstand.resilience import RetryPolicy

    assert len({RetryPolicy().delay(1) for _ in range(100)}) > 90


def test_71_a_name_with_a_hyphen_gets_a_token_of_its_own() -> None:
    class Settings:
        """Django's settings, as far as the article's client asks them."""

    setting = f"{'user-service'.upper()}_API_KEY"
    assert not setting.isidentifier()
    assert f"Bearer {getattr(Settings, setting, None)}" == "Bearer None"
    script = Requests(lambda _: answer())
    section = {
        "SERVICE": {"NAME": "orders"},
        "AUTH": {"SIGNING_KEY": json.dumps(generate_key())},
    }
    with serving(script) as server:
        services = {"user-service": server.url}
        with override_settings(BANDSTAND={**section, "DISCOVERY": {"SERVICES": services}}):
            ServiceClient("user-service").get("/")
    (line,) = [each for each in script.seen[0].decode().split("\r\n") if each.lower().startswith("authorization")]
    assert jwt.decode(line.split(" ")[2], options={"verify_signature": False})["aud"] == "user-service"


def test_72_and_77_a_failure_is_not_taken_for_an_absent_user() -> None:
    """The article's view answers "user not found" to every failure, because its error drops the status."""

    def naive_user_exists(url: str) -> bool:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return True
        except urllib.error.URLError:
            return False

    absent = b'{"error":{"code":"NOT_FOUND","message":"m","details":{}}}'
    replies = {b"absent": answer(absent, status="404 Not Found"), b"broken": answer(status="500 Oops")}
    with serving(Requests(lambda request: replies[request.split(b"/")[1]])) as server:
        assert naive_user_exists(f"{server.url}/absent/") is naive_user_exists(f"{server.url}/broken/") is False
        with known(users=server.url):
            with pytest.raises(NotFound):
                users.post("/absent/")
            with pytest.raises(ServiceHTTPError) as caught:
                users.post("/broken/")
    assert caught.value.status_code == 500


WATCHED = """
import json, sys
connects = []
sys.addaudithook(lambda event, args: connects.append(event) if event == "socket.connect" else None)
import django
{naive}
django.setup()
from bandstand import discovery
print(json.dumps([len(connects), list(discovery.resolve("users"))]))
"""
NAIVE_READY = """
import socket
from django.apps import AppConfig
def ready(self):
    with socket.socket() as registry:
        registry.connect(("127.0.0.1", 1))
AppConfig.ready = ready
"""


def test_80_starting_needs_no_network() -> None:
    """With the article's `ready`, a migration or a shell cannot even start while the registry is down."""

    def start(naive: str) -> "subprocess.CompletedProcess[str]":
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.project.settings"}
        command = [sys.executable, "-c", WATCHED.format(naive=naive)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)

    refused = start(NAIVE_READY)
    assert refused.returncode != 0
    assert "ConnectionRefusedError" in refused.stderr
    assert json.loads(start("").stdout) == [0, []]


def test_81_and_82_a_moved_instance_is_found_by_the_next_call(tmp_path: Path) -> None:
    """A cache asked again after a failure gives the same dead address; and nobody had to be called to register."""
    registry = tmp_path / "registry.json"

    def register(url: str) -> None:
        new = tmp_path / "new"
        new.write_text(json.dumps({"services": {"users": [url]}}))
        new.rename(registry)

    dead = "http://127.0.0.1:1"
    cache: dict[str, str] = {}

    def naive_discover(service: str) -> str:
        return cache.setdefault(service, json.loads(registry.read_text())["services"][service][0])

    register(dead)
    assert naive_discover("users") == dead
    section = {"REGISTRY_FILE": registry}
    with (
        serving(Requests(lambda _: answer(b"1"))) as server,
        override_settings(BANDSTAND={"SERVICE": {"NAME": "orders"}, "DISCOVERY": section}),
    ):
        with pytest.raises(ServiceError):
            users.get("/")
        register(server.url)
        assert naive_discover("users") == dead
        assert users.get("/").data == 1
