"""Every error, whoever makes it, has the one shape, the id of its request, and RFC 9457 for those who ask for it."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fleet_unit.fleets import MANIFEST, Fleet
from tests.security.shop import Shop, until
from tests.security.wire import Answer, Wire, assert_error

_PROBLEM = {"Accept": "application/problem+json"}
_FAULTS: dict[str, tuple[str, int, Callable[[Wire, dict[str, str]], Answer]]] = {
    "gateway: no route": ("gateway", 404, lambda wire, sent: wire.ask("GET", "/nowhere", headers=sent)),
    "gateway: escaped slash": ("gateway", 400, lambda wire, sent: wire.ask("GET", "/api/v1/users%2f", headers=sent)),
    "gateway: too large": (
        "gateway", 413, lambda wire, sent: wire.ask("POST", "/api/v1/users/", body=b" " * 1_100_000, headers=sent),
    ),
    "django: no route": ("users", 404, lambda wire, sent: wire.ask("GET", "/api/v1/users/a/b/c", headers=sent)),
    "middleware: host": (
        "users", 400, lambda wire, sent: wire.ask("GET", "/api/v1/users/me/", headers={**sent, "Host": "evil.example"}),
    ),
    "rest: no token": ("users", 401, lambda wire, sent: wire.ask("GET", "/api/v1/users/me/", headers=sent)),
    "rest: method": ("users", 405, lambda wire, sent: wire.ask("DELETE", "/api/v1/auth/token/", headers=sent)),
    "rest: body": ("users", 400, lambda wire, sent: wire.ask("POST", "/api/v1/auth/token/", body=b"{", headers=sent)),
    "rest: media type": (
        "users", 415, lambda wire, sent: wire.ask("POST", "/api/v1/auth/token/", body=b"{}",
                                                   headers={**sent, "Content-Type": "text/plain"}),
    ),
    "plain view: signature": (
        "payments", 401, lambda wire, sent: wire.ask("POST", "/api/v1/payments/webhook/", body=b"{}", headers=sent),
    ),
    "plain view: method": (
        "payments", 405, lambda wire, sent: wire.ask("GET", "/api/v1/payments/webhook/", headers=sent),
    ),
    "documents: no such service": ("gateway", 404, lambda wire, sent: wire.ask("GET", "/api/v1/docs/x/", headers=sent)),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(_FAULTS))
def test_an_error_says_the_same_in_both_shapes_with_the_callers_id(shop: Shop, name: str) -> None:
    service, status, cause = _FAULTS[name]
    sent = {"X-Correlation-ID": "checkout-0123.4_5"}
    plain, problem = cause(shop.wire, sent), cause(shop.wire, {**sent, **_PROBLEM})
    assert (plain.status, problem.status) == (status, status)
    assert_error(plain, service=service)
    assert_error(problem, service=service)
    assert plain.headers["content-type"] == "application/json"
    assert problem.headers["content-type"] == "application/problem+json"
    for answer in (plain, problem):
        assert answer.headers["x-correlation-id"] == sent["X-Correlation-ID"]
    error = plain.data["error"]
    shown = problem.data
    assert (shown["code"], shown["detail"], shown["status"]) == (error["code"], error["message"], status)


def test_a_request_too_broken_to_have_headers_gets_an_envelope_too(shop: Shop) -> None:
    """The gateway refuses it before it knows what the caller accepts or calls it."""
    answer = shop.ask("GET", "/healthz", headers={"A_B": "c", "X-Correlation-ID": "checkout-42"})
    assert answer.status == 400
    assert_error(answer, service="gateway")


_UNSOUND = (
    "short", "a" * 65, "with space", "new%0d%0aline", '"},"level":"ERROR', "\x1b[2Jcleared", "<script>", "a;b;c;d;e",
    "../../../etc", "${jndi:x}", "{{7*7}}{{}}", "h\u00e9h\u00e9h\u00e9h\u00e9", "a" * 8000,
)  # fmt: skip


@pytest.mark.parametrize("text", _UNSOUND)
def test_an_id_that_is_not_sound_is_replaced(shop: Shop, text: str) -> None:
    for wire, path in ((shop.wire, "/api/v1/users/me/"), (shop.wire, "/nowhere"), (shop.straight_at("users"), "/x")):
        answer = wire.ask("GET", path, headers={"X-Correlation-ID": text, "X-Request-ID": text})
        if answer.status == 400 and not answer.body:
            continue  # a control character: the service's server refuses the request before anybody reads it
        assert_error(answer)
        assert text not in (answer.headers["x-correlation-id"], answer.headers["x-request-id"])
        assert json.dumps(text)[1:-1] not in answer.body.decode()


_ACCEPTS = (
    "application/problem+json;q=0.9, application/json;q=0.1", "text/html", "*/*", "", "a", "q=;;",
    "application/json;q=0", ",".join(["a/b"] * 500),
)  # fmt: skip


@pytest.mark.parametrize("accept", _ACCEPTS)
def test_any_accept_header_gets_an_error_it_can_read(shop: Shop, accept: str) -> None:
    for path in ("/nowhere", "/api/v1/users/me/"):
        assert_error(shop.ask("GET", path, headers={"Accept": accept}))


def test_a_success_carries_both_ids_too(shop: Shop) -> None:
    answer = shop.ask("GET", "/api/v1/products/", headers={"X-Correlation-ID": "checkout-42"})
    assert (answer.status, answer.headers["x-correlation-id"]) == (200, "checkout-42")
    assert answer.headers["x-request-id"]


@pytest.fixture
def stopping(tmp_path: Path) -> Iterator[Fleet]:
    """A fleet whose gateway waits one second."""
    fleet = Fleet(tmp_path / "fleet", MANIFEST + "[gateway]\ntimeout_seconds = 1\n")
    try:
        fleet.up()
        yield fleet
    finally:
        fleet.down()


def test_a_service_that_hangs_and_one_that_is_gone_are_told_apart(stopping: Fleet) -> None:
    """504 while the gateway still waits for it, 503 once the launcher has taken it out."""
    pid = stopping.pid_of("users")
    os.kill(pid, signal.SIGSTOP)
    try:
        with Wire(f"http://127.0.0.1:{stopping.port}") as wire:
            seen = {}
            for headers in ({}, _PROBLEM):
                answer = wire.ask("GET", "/api/v1/users/", headers=headers)
                seen[answer.status] = answer
                assert_error(answer, service="gateway")
            assert 504 in seen, seen
            gone = until(lambda: unavailable(wire))
            assert_error(gone, service="gateway")
            assert gone.data["error"]["code"] == "SERVICE_UNAVAILABLE"
    finally:
        os.kill(pid, signal.SIGCONT)


def unavailable(wire: Wire) -> Answer | None:
    """The answer once it is 503."""
    answer = wire.ask("GET", "/api/v1/users/")
    return answer if answer.status == 503 else None
