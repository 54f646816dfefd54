"""Errors told apart, and what is tried again, when, and how often."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from time import perf_counter

import pytest
from tests.client.conftest import Peer
from tests.transport.servers import Connection, answer, echo_path, serving

from bandstand import clock, context, errors
from bandstand.client import ServiceClient
from bandstand.client.exchange import Exchange, Pause
from bandstand.context import Context
from bandstand.errors import (
    Conflict,
    NotFound,
    RateLimited,
    ServiceConnectionError,
    ServiceError,
    ServiceHTTPError,
    ServiceTimeoutError,
    ServiceUnavailable,
)
from bandstand.resilience import Deadline, RetryPolicy
from bandstand.testing.clock import held_clock
from bandstand.transport import Response

pytestmark = pytest.mark.usefixtures("calling")

users = ServiceClient("users")


def envelope(code: str, status: str, details: str = "{}", headers: str = "") -> bytes:
    body = f'{{"error":{{"code":"{code}","message":"m","details":{details},"service":"users"}}}}'
    return answer(body.encode(), status=status, headers=headers)


@pytest.mark.parametrize(
    "error",
    [
        errors.ValidationFailed,
        errors.PaymentDeclined,
        errors.PermissionDenied,
        errors.NotFound,
        errors.Conflict,
        errors.BusinessRuleViolated,
        errors.RateLimited,
        errors.ServiceUnavailable,
        errors.DeadlineExceeded,
    ],
)
def test_an_error_of_the_contract_arrives_as_the_same_class(peer: Peer, error: type[ServiceError]) -> None:
    peer.will_answer(envelope(error.code, f"{error.status} X", '{"conflict":"final"}', "Retry-After: 9\r\n"))
    with pytest.raises(error) as caught:
        users.post("/x/")
    assert type(caught.value) is error
    assert caught.value.details == {"conflict": "final"}
    assert caught.value.retry_after == 9


@pytest.mark.parametrize(
    "reply",
    [
        envelope("NOT_AUTHENTICATED", "401 Unauthorized"),
        envelope("INTERNAL_ERROR", "500 Oops"),
        envelope("EXTERNAL_SERVICE_ERROR", "502 Bad Gateway"),
        envelope("NOT_FOUND", "409 Conflict"),
        envelope("NEW_CODE", "404 Not Found"),
        answer(b"<h1>not found</h1>", status="404 Not Found"),
        answer(b"{}", status="404 Not Found"),
        answer(b'{"error":"no"}', status="404 Not Found"),
        answer(status="301 Moved", headers="Location: /y/\r\n"),
        answer(status="504 Gateway Timeout"),
    ],
)
def test_what_is_no_answer_of_the_contract_keeps_its_status_and_body(peer: Peer, reply: bytes) -> None:
    """A proxy's 404 must not pass for the service's word that something does not exist."""
    peer.will_answer(reply)
    with pytest.raises(ServiceHTTPError) as caught:
        users.post("/x/")
    assert caught.value.status_code == int(reply.split(b" ")[1])
    assert caught.value.body == reply.partition(b"\r\n\r\n")[2]
    assert caught.value.status == 502


def test_the_text_of_an_error_names_the_called_service_once(peer: Peer) -> None:
    peer.will_answer(answer(status="503 Busy"))
    with pytest.raises(ServiceUnavailable) as busy:
        users.post("/x/")
    assert str(busy.value) == f"users: {busy.value.message}"
    peer.will_answer(answer(status="500 Oops"))
    with pytest.raises(ServiceHTTPError) as broken:
        users.post("/x/")
    assert str(broken.value) == "users answered 500."


def test_any_503_says_later(peer: Peer) -> None:
    peer.will_answer(answer(b"no upstream", status="503 Busy", headers="Retry-After: 7\r\n"))
    with pytest.raises(ServiceUnavailable) as caught:
        users.post("/x/")
    assert caught.value.retry_after == 7


@pytest.mark.parametrize("verb", ["get", "put", "delete"])
@pytest.mark.parametrize("failure", ["500 X", "502 X", "503 X", "504 X", "429 X", None])
def test_what_may_be_repeated_is_tried_three_times(peer: Peer, verb: str, failure: str | None) -> None:
    broken = answer(status=failure) if failure else None
    peer.will_answer(broken, broken, answer(b"1"))
    assert getattr(users, verb)("/x/").data == 1
    assert len(peer.requests) == 3
    peer.will_answer(broken)
    with pytest.raises(ServiceError):
        getattr(users, verb)("/x/")
    assert len(peer.requests) == 6


@pytest.mark.parametrize("failure", ["500 X", "503 X", None])
def test_a_post_is_repeated_only_with_a_key(peer: Peer, failure: str | None) -> None:
    broken = answer(status=failure) if failure else None
    peer.will_answer(broken)
    with pytest.raises(ServiceError):
        users.post("/x/")
    assert len(peer.requests) == 1
    peer.will_answer(broken, answer(b"1"))
    assert users.post("/x/", idempotency_key="key-12345").data == 1
    assert [peer.header("Idempotency-Key", number) for number in (1, 2)] == ["key-12345"] * 2


def test_an_error_says_whether_it_answers_a_repetition(peer: Peer) -> None:
    """Then a copy that was sent before may still take effect, whatever this answer says."""
    peer.will_answer(None, answer(status="422 X"))
    for repeated in (True, False):
        with pytest.raises(ServiceError) as caught:
            users.put("/x/")
        assert caught.value.repeated is repeated


def test_the_async_twin_repeats_as_well(peer: Peer) -> None:
    peer.will_answer(answer(status="503 X"), None, answer(b"1"))
    assert asyncio.run(users.aget("/x/")).data == 1


@pytest.mark.parametrize("status", ["400 X", "404 X", "409 X", "422 X", "301 X"])
def test_a_refusal_is_final(peer: Peer, status: str) -> None:
    peer.will_answer(answer(status=status))
    with pytest.raises(ServiceError):
        users.get("/x/")
    assert len(peer.requests) == 1


def test_a_lost_reply_says_that_the_effect_is_possible(peer: Peer) -> None:
    peer.will_answer(None)
    with pytest.raises(ServiceConnectionError) as caught:
        users.post("/x/")
    assert caught.value.sent is True


def test_a_refused_connection_is_tried_elsewhere_at_once_even_for_a_post(
    peer: Peer, calling: Callable[..., None]
) -> None:
    calling(services={"users": ["http://127.0.0.1:1", peer.url]}, RETRY_BASE=timedelta(seconds=30))
    for number in range(1, 5):
        users.post("/x/")
        assert len(peer.requests) == number


def test_a_later_refusal_does_not_unsay_that_an_earlier_attempt_was_sent(calling: Callable[..., None]) -> None:
    def dies(connection: Connection) -> None:
        connection.request()
        server.listener.close()

    with serving(dies) as server:
        calling(services={"users": server.url})
        with pytest.raises(ServiceConnectionError) as caught:
            users.put("/x/")
    assert caught.value.sent is True


def test_the_whole_call_ends_by_the_callers_deadline(calling: Callable[..., None]) -> None:
    def silent(connection: Connection) -> None:
        connection.request()
        connection.done.wait(20)

    with serving(silent) as server:
        calling(services={"users": server.url})
        started = perf_counter()
        with context.bound(Context(deadline=clock.monotonic() + 0.4)), pytest.raises(ServiceTimeoutError) as caught:
            users.get("/x/")
        assert perf_counter() - started < 2
        assert caught.value.sent is True
        assert str(caught.value) == "users: No complete answer came in time."
        assert server.count == 1


def test_a_deadline_that_has_passed_sends_nothing(peer: Peer) -> None:
    with context.bound(Context(deadline=clock.monotonic() - 1)), pytest.raises(ServiceTimeoutError) as caught:
        users.get("/x/")
    assert caught.value.sent is False
    assert peer.requests == []


def test_retry_after_is_obeyed_within_the_deadline_and_never_beyond(peer: Peer) -> None:
    peer.will_answer(envelope("RATE_LIMITED", "429 X", headers="Retry-After: 3600\r\n"))
    started = perf_counter()
    with pytest.raises(RateLimited) as caught:
        users.get("/x/")
    assert perf_counter() - started < 2
    assert (caught.value.retry_after, len(peer.requests)) == (3600, 1)


def exchange(**changes: object) -> Exchange:
    plain = {
        "target": "users",
        "method": "GET",
        "url": lambda base: base,
        "addresses": lambda: ["http://a"],
        "failed": lambda url: None,
        "headers": {},
        "body": None,
        "deadline": Deadline.within(timedelta(seconds=10)),
        "policy": RetryPolicy(),
        "keyed": False,
        "answers": (),
        "max_body_bytes": 1,
    }
    return Exchange(**{**plain, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("given", ["2", "Thu, 01 Jan 2026 12:00:02 GMT"])
def test_retry_after_as_number_or_date_is_the_least_pause(given: str) -> None:
    with held_clock():
        course = exchange().course()
        next(course)
        step = course.send(Response(status=503, headers={"retry-after": given}, body=b""))
        assert isinstance(step, Pause)
        assert 2 <= step.seconds <= 3


@pytest.mark.parametrize("given", ["", "-1", "soon", "1e9", "9" * 30, "٣"])
def test_a_malformed_retry_after_is_none(given: str) -> None:
    with held_clock():
        course = exchange().course()
        next(course)
        step = course.send(Response(status=503, headers={"retry-after": given}, body=b""))
        assert isinstance(step, Pause)
        assert step.seconds <= 0.05


def test_typed_errors_have_their_own_meaning() -> None:
    assert not issubclass(NotFound, ServiceHTTPError)
    assert not issubclass(Conflict, ServiceHTTPError)


def test_one_client_serves_many_threads() -> None:
    """`echo_path` answers what was asked, so that a mixed-up answer shows."""
    from concurrent.futures import ThreadPoolExecutor

    from bandstand.client import ExternalClient

    with serving(echo_path) as server, ThreadPoolExecutor(8) as pool:
        echo = ExternalClient(server.url, name="echo")
        paths = [f"/{number}/" for number in range(200)]
        assert list(pool.map(lambda path: echo.get(path).data, paths)) == paths
