"""What a call sends and how its answer is read."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt
import msgspec
import pytest
from django.db import transaction
from tests.client.conftest import Peer
from tests.transport.servers import answer

from bandstand import clock, context
from bandstand.client import ExternalClient, RemoteCallInTransaction, ServiceClient
from bandstand.context import Context, Principal
from bandstand.errors import ServiceConnectionError, ServiceHTTPError
from bandstand.observability.metrics import render
from bandstand.observability.tracing import drain_spans

pytestmark = pytest.mark.usefixtures("calling")

users = ServiceClient("users")


@dataclass
class State:
    id: str
    is_active: bool


class Strict(msgspec.Struct):
    id: UUID


def test_an_answer_becomes_the_type_asked_for(peer: Peer) -> None:
    peer.will_answer(answer(b'{"id":"u-1","is_active":true,"later":"ignored"}', headers="ETag: W/1\r\n"))
    reply = users.get("/internal/v1/users/u-1/", into=State)
    assert reply.data == State(id="u-1", is_active=True)
    assert (reply.status, reply.headers["etag"]) == (200, "W/1")


@pytest.mark.parametrize("verb", ["get", "post", "put", "patch", "delete"])
def test_every_verb_has_an_async_twin(peer: Peer, verb: str) -> None:
    peer.will_answer(answer(b'{"a":1}'))
    assert getattr(users, verb)("/x/").data == {"a": 1}
    assert asyncio.run(getattr(users, f"a{verb}")("/x/")).data == {"a": 1}
    assert [request.split(b" ")[0].decode() for request in peer.requests] == [verb.upper()] * 2


def test_a_body_is_written_as_json_with_ids_and_times(peer: Peer) -> None:
    body = {"id": UUID(int=7), "at": datetime(2026, 1, 2, tzinfo=UTC), "n": 1}
    users.post("/x/", body=body)
    sent = peer.requests[0].partition(b"\r\n\r\n")[2]
    assert sent == b'{"id":"00000000-0000-0000-0000-000000000007","at":"2026-01-02T00:00:00Z","n":1}'
    assert peer.header("Content-Type") == "application/json"


def test_a_body_of_bytes_goes_out_as_it_is(peer: Peer) -> None:
    users.post("/x/", body=b"a,b", headers={"Content-Type": "text/csv"})
    assert peer.requests[0].endswith(b"\r\n\r\na,b")
    assert peer.header("Content-Type") == "text/csv"


def test_parameters_are_escaped_repeated_and_left_out(peer: Peer) -> None:
    users.get("/x/", params={"q": "a b&c=1/é", "n": [1, 2], "yes": True, "none": None})
    assert peer.requests[0].split(b" ")[1] == b"/x/?q=a+b%26c%3D1%2F%C3%A9&n=1&n=2&yes=true"


@pytest.mark.parametrize(
    "path",
    ["x", "", "/a/../b", "/..", "/a/./b", "//evil/", "/a?b=1", "/a#b", "/a b", "/a\r\nX: 1", "/a\\b", "/é", "/a//b"],
)
def test_an_identifier_cannot_bend_the_path(peer: Peer, path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        users.get(path)
    assert peer.requests == []


def test_the_work_at_hand_goes_along(peer: Peer) -> None:
    work = Context(correlation_id="corr-12345678", request_id="req-12345678", deadline=clock.monotonic() + 2)
    with context.bound(work):
        users.get("/x/")
    assert peer.header("X-Correlation-ID") == "corr-12345678"
    assert peer.header("X-Request-ID") == "req-12345678"
    parent = (peer.header("traceparent") or "").split("-")
    assert parent[1] == work.trace_id
    assert parent[2] != work.span_id
    assert 1000 < int(peer.header("X-Timeout-Ms") or 0) <= 2000


def test_the_token_is_for_the_called_service_and_names_the_user(peer: Peer) -> None:
    with context.bound(Context(principal=Principal(id="u-1"))):
        users.get("/x/", headers={"Authorization": "Bearer mine"})
    scheme, _, token = (peer.header("Authorization") or "").partition(" ")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert scheme == "Bearer"
    assert (claims["iss"], claims["sub"], claims["aud"], claims["act"]) == ("orders", "orders", "users", {"sub": "u-1"})


def test_without_a_key_no_token_is_sent(peer: Peer, calling: Callable[..., None]) -> None:
    calling(key=False)
    users.get("/x/")
    assert peer.header("Authorization") is None


def test_a_foreign_address_gets_no_token(peer: Peer) -> None:
    ExternalClient(peer.url + "/", name="provider").get("/v1/charges/a:b/")
    assert peer.header("Authorization") is None
    assert peer.requests[0].startswith(b"GET /v1/charges/a:b/ ")


def test_statuses_of_a_foreign_contract_come_back_as_replies(peer: Peer) -> None:
    provider = ExternalClient(lambda: peer.url, name="provider")
    peer.will_answer(answer(b'{"state":"declined"}', status="402 Payment Required"))
    assert provider.put("/v1/charges/k/", body={}, answers={402, 409}).data == {"state": "declined"}
    with pytest.raises(ServiceHTTPError) as caught:
        provider.put("/v1/charges/k/", body={})
    assert (caught.value.status_code, caught.value.body) == (402, b'{"state":"declined"}')


def test_an_empty_answer_has_no_data(peer: Peer) -> None:
    peer.will_answer(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert users.delete("/x/").data is None


@pytest.mark.parametrize(
    "reply",
    [
        answer(b"<html>", headers=""),
        answer(b'{"id":"no uuid"}'),
        answer(b"{}"),
        answer(b"[" * 100_000),
        answer(b'{"id":"\xff"}'),
        answer(b""),
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        answer(b"{}", headers="Content-Encoding: gzip\r\n"),
    ],
)
def test_an_answer_that_is_not_what_was_asked_for_is_an_error_that_keeps_it(peer: Peer, reply: bytes) -> None:
    peer.will_answer(reply)
    with pytest.raises(ServiceHTTPError) as caught:
        users.get("/x/", into=Strict)
    assert caught.value.status_code in (200, 204)
    assert caught.value.body == reply.partition(b"\r\n\r\n")[2]


def test_a_body_can_be_taken_as_bytes(peer: Peer) -> None:
    peer.will_answer(b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Length: 3\r\n\r\na,b")
    assert users.get("/x/", into=bytes).data == b"a,b"


def test_an_answer_over_the_limit_is_refused(peer: Peer, calling: Callable[..., None]) -> None:
    calling(MAX_BODY_BYTES=10)
    peer.will_answer(answer(b"12345678901"))
    with pytest.raises(ServiceHTTPError):
        users.get("/x/")


def test_an_unknown_service_is_an_unsent_call() -> None:
    with pytest.raises(ServiceConnectionError) as caught:
        ServiceClient("nobody").post("/x/")
    assert caught.value.sent is False


@pytest.mark.parametrize("key", ["short", "x" * 256, "with space", "line\nbreak"])
def test_an_ill_formed_idempotency_key_is_refused(peer: Peer, key: str) -> None:
    with pytest.raises(ValueError, match="idempotency"):
        users.post("/x/", idempotency_key=key)
    assert peer.requests == []


@pytest.mark.django_db(transaction=True)
def test_a_call_inside_a_transaction_is_refused(peer: Peer) -> None:
    with transaction.atomic(), pytest.raises(RemoteCallInTransaction):
        users.get("/x/")
    assert peer.requests == []
    users.get("/x/")


@pytest.mark.django_db
def test_the_transaction_of_a_test_case_does_not_count(peer: Peer) -> None:
    users.get("/x/")
    assert len(peer.requests) == 1


def test_a_call_is_a_span_and_a_duration(peer: Peer) -> None:
    drain_spans()
    peer.will_answer(answer(status="503 Busy"), answer(status="201 Created"))
    users.put("/internal/v1/things/7/", timeout=timedelta(seconds=5))
    (span,) = [each for each in drain_spans() if each.kind == "client"]
    assert span.name == "PUT users"
    assert span.attributes["http.response.status_code"] == "201"
    assert span.attributes["http.request.resend_count"] == 1
    series = 'client_request_duration_seconds_count{method="PUT",status="201",target="users"}'
    assert series in render().decode()
