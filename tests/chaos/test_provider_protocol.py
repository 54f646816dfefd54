"""The provider protocol as any implementation must keep it (docs/reference/payment-provider.md)."""

from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Any

import pytest
import urllib3
from tests.chaos.provider_client import Caller, Receiver
from tests.fleet_unit.fleets import until

LOST = (urllib3.exceptions.ProtocolError, urllib3.exceptions.TimeoutError)


def test_a_charge_is_captured_once_and_repeats_answer_the_same(provider: Caller, key: str) -> None:
    first, again = provider.charge(key), provider.charge(key)
    assert first.status == again.status == 201
    assert first.data == again.data == {"key": key, "state": "captured", "amount": 1999, "currency": "EUR"}
    listed = provider.all()[key]
    assert (listed["captured"], listed["refunded"], listed["reference"]) == (1999, 0, f"order-of-{key}")


def test_parallel_repeats_charge_once(provider: Caller, key: str) -> None:
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda _: provider.charge(key), range(64)))
    assert {reply.status for reply in replies} <= {201, 503}
    assert provider.show(key).data["captured"] == 1999


def test_another_amount_under_the_same_key_is_refused(provider: Caller, key: str) -> None:
    provider.charge(key)
    assert provider.charge(key, amount=2000).status == 422
    assert provider.show(key).data["captured"] == 1999


@pytest.mark.parametrize("method", ["tok_declined", "tok_nobody_knows"])
def test_a_declined_charge_stays_declined(provider: Caller, key: str, method: str) -> None:
    for _ in range(2):
        reply = provider.charge(key, method=method)
        assert reply.status == 402
        assert reply.data["state"] == "declined"
        assert reply.data["reason"]
    assert provider.show(key).data["captured"] == 0


def test_a_cancel_before_the_charge_is_remembered(provider: Caller, key: str) -> None:
    assert provider.cancel(key).data["state"] == "cancelled"
    reply = provider.charge(key)
    assert (reply.status, reply.data["state"]) == (409, "cancelled")
    assert provider.cancel(key).data["state"] == "cancelled"
    listed = provider.all()[key]
    assert (listed["captured"], listed["amount"], listed["reference"], listed["currency"]) == (0, 0, "", "")


def test_a_cancel_after_the_charge_gives_the_money_back_once(provider: Caller, key: str) -> None:
    provider.charge(key)
    assert [provider.cancel(key).data["state"] for _ in range(2)] == ["refunded", "refunded"]
    assert provider.charge(key).status == 409
    listed = provider.all()[key]
    assert (listed["state"], listed["captured"], listed["refunded"]) == ("refunded", 1999, 1999)


def test_refunds_are_partial_idempotent_and_never_exceed_the_charge(provider: Caller, key: str) -> None:
    provider.charge(key)
    assert [provider.refund(key, "r1", 500).status for _ in range(2)] == [201, 201]
    assert provider.refund(key, "r1", 501).status == 422
    assert provider.refund(key, "r2", 1500).status == 422
    assert provider.refund(key, "r2", 1499).status == 201
    assert provider.show(key).data["refunded"] == 1999
    assert provider.charge(key).status == 201
    assert provider.refund("unknown-key", "r1", 1).status == 404


def test_an_unknown_charge_is_not_found(provider: Caller, key: str) -> None:
    assert provider.show(key).status == 404


def test_flaky_fails_twice_and_then_charges(provider: Caller, key: str) -> None:
    assert [provider.charge(key, method="tok_flaky").status for _ in range(4)] == [500, 500, 201, 201]


def test_lost_applies_and_drops_the_connection(provider: Caller, key: str) -> None:
    with pytest.raises(LOST):
        provider.charge(key, method="tok_lost")
    assert provider.show(key).data["captured"] == 1999
    assert provider.charge(key, method="tok_lost").status == 201
    assert provider.show(key).data["captured"] == 1999


def test_slow_is_in_progress_for_others_and_blocks_nobody(provider: Caller, key: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(provider.charge, key, method="tok_slow") for _ in range(2)]
        (refused,), (slow,) = wait(both, return_when=FIRST_COMPLETED)
        assert refused.result().status == 503
        assert provider.charge(f"{key}-other").status == 201
        assert not slow.done()
        assert slow.result().status == 201
    assert provider.charge(key).status == 201


def test_late_gives_no_answer_and_is_executed_later(provider: Caller, key: str) -> None:
    with pytest.raises(LOST):
        provider.charge(key, method="tok_late", timeout=0.2)
    assert provider.charge(key, method="tok_late").status == 503
    assert until(lambda: provider.charge(key, method="tok_late").status == 201)
    assert provider.show(key).data["captured"] == 1999


def test_late_is_never_executed_once_it_is_cancelled(provider: Caller, key: str) -> None:
    with pytest.raises(LOST):
        provider.charge(key, method="tok_late", timeout=0.2)
    assert provider.cancel(key).data["state"] == "cancelled"
    with pytest.raises(LOST):  # accepted after the one above, so executed after it would have been
        provider.charge(f"{key}-2", method="tok_late", timeout=0.2)
    until(lambda: provider.show(f"{key}-2").data["captured"])
    assert provider.show(key).data["captured"] == 0


def test_nothing_is_charged_while_the_provider_is_down(provider: Caller, key: str) -> None:
    assert provider.control("down").status == 200
    reply = provider.charge(key, method="tok_down")
    assert reply.status == 503
    provider.control("up")
    assert key not in provider.all()
    assert provider.charge(key, method="tok_down").status == 201


def test_webhooks_are_signed_and_tell_each_change(provider: Caller, receiver: Receiver, key: str) -> None:
    provider.charge(key)
    provider.refund(key, "r1", 99)
    provider.cancel(key)
    until(lambda: len(receiver.of(key)) == 3)
    assert all(each.signed for each in receiver.of(key))
    told = {each.body["type"]: each.body for each in receiver.of(key)}
    assert set(told["charge.captured"]) == {"id", "type", "key", "state", "amount", "currency", "at"}
    assert sorted(each.body["amount"] for each in receiver.of(key)) == [99, 1900, 1999]


def test_a_refused_webhook_is_sent_again(provider: Caller, receiver: Receiver, key: str) -> None:
    receiver.refusals = 2
    provider.charge(key)
    until(lambda: len(receiver.of(key)) == 3)
    assert len({each.body["id"] for each in receiver.of(key)}) == 1


def test_dup_tells_three_times_and_once_before_the_answer(provider: Caller, receiver: Receiver, key: str) -> None:
    assert provider.charge(key, method="tok_dup").status == 201
    assert receiver.of(key)
    until(lambda: len(receiver.of(key)) == 3)
    assert len({each.body["id"] for each in receiver.of(key)}) == 1


def test_the_list_gives_every_charge_changed_since(provider: Caller, key: str) -> None:
    provider.charge(f"{key}-old")
    provider.charge(key)
    since = provider.show(key).data["updated_at"]
    provider.refund(f"{key}-old", "r1", 1)
    assert {key, f"{key}-old"} <= set(provider.all(since))
    assert provider.all("2999-01-01T00:00:00Z") == {}


CHARGE = {"amount": 1, "currency": "EUR", "payment_method": "tok_ok", "reference": "r"}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"\xff", b'{"amount": 1e400}',
        {**CHARGE, "amount": "1"}, {**CHARGE, "amount": 1.0}, {**CHARGE, "amount": True}, {**CHARGE, "amount": 0},
        {**CHARGE, "amount": -1}, {**CHARGE, "amount": 10**30}, {**CHARGE, "currency": "eur"},
        {**CHARGE, "currency": None}, {**CHARGE, "extra": 1}, {"amount": 1},
    ],
)  # fmt: skip
def test_a_malformed_charge_is_refused_and_leaves_nothing(provider: Caller, key: str, body: Any) -> None:
    assert provider.request("PUT", f"/v1/charges/{key}", body).status == 400
    assert provider.show(key).status == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/v1/charges/a%20b", 400),
        ("GET", "/v1/charges?page=0", 400),
        ("GET", "/v1/charges?since=yesterday", 400),
        ("GET", "/v1/charges?colour=red", 400),
        ("POST", "/v1/charges/some-key", 405),
        ("GET", "/v2/charges", 404),
        ("POST", "/v1/control", 400),
    ],
)
def test_requests_outside_the_protocol_are_refused(provider: Caller, method: str, path: str, status: int) -> None:
    assert provider.request(method, path).status == status
