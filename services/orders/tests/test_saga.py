"""How an order is processed, by the real saga worker against participants that answer over HTTP as they are told."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from services.orders.tests.neighbours import DROPPED, Answer, Asked, Neighbours, error
from services.orders.tests.placing import ANN, NewProduct, cancel, placed

from bandstand.sagas import SagaExecution, SagaStepLog, host
from bandstand.sagas.config import SagasConfig
from bandstand.sagas.runner import Runner
from bandstand.testing.clock import HeldClock, held_clock
from bandstand.testing.sagas import CallsByHand
from bandstand.testing.tokens import user_headers
from orders.models import Order

pytestmark = pytest.mark.django_db(transaction=True)

BUSY = error(503, "SERVICE_UNAVAILABLE")


class Stage:
    """Orders with a saga worker that is turned by hand, under a held clock."""

    def __init__(self, held: HeldClock, neighbours: Neighbours) -> None:
        self.clock, self.neighbours, self.calls = held, neighbours, CallsByHand()
        self.worker = Runner(config=SagasConfig(), pool=self.calls)
        host.install_worker(self.worker)
        self.ann = Client(headers=user_headers(user_id=ANN))

    def drive(self, *, calls: int = 1000) -> None:
        """Make what is due at this moment, at most so many calls."""
        self.worker.turn()
        while calls and self.calls.run():
            calls -= 1
            self.worker.turn()

    def later(self, seconds: float) -> None:
        """Let the time pass, second by second."""
        for _ in range(int(seconds)):
            self.clock.advance(1)
            self.drive()

    def ended(self, order_id: str) -> tuple[str, str]:
        """Drive on until the order has ended; how, and why."""
        for _ in range(600):
            self.drive()
            order = Order.objects.get(pk=order_id)
            if order.is_final:
                return order.status, order.reason
            self.clock.advance(1)
        raise AssertionError(f"still pending: {self.log()}")

    def log(self) -> list[str]:
        lines = SagaStepLog.objects.exclude(outcome="intent").order_by("id")
        return [f"{line.direction} {line.step} {line.outcome}" for line in lines]


@pytest.fixture
def stage(neighbours: Neighbours) -> Iterator[Stage]:
    """Orders with a worker, while time stands still."""
    with held_clock() as held:
        try:
            yield Stage(held, neighbours)
        finally:
            host.install_worker(None)


@pytest.fixture
def order(stage: Stage, new_product: NewProduct) -> dict[str, Any]:
    """Two units at 19.99, just placed."""
    return placed(stage.ann, new_product(1999), payment_method="tok_secret")


def test_an_order_that_nothing_stops_is_confirmed(stage: Stage, order: dict[str, Any]) -> None:
    assert stage.ended(order["id"]) == ("confirmed", "")
    asked = stage.neighbours
    assert asked.heard() == ["GET user", "PUT reservation", "PUT payment", "POST commit"]
    saga = SagaExecution.objects.get()
    reservation, payment, commit = (asked.of(f"{what}")[0] for what in asked.heard()[1:])
    assert (reservation.key, commit.key, payment.key) == (
        f"{saga.id}:reserve_stock",
        f"{saga.id}:reserve_stock",
        f"{saga.id}:capture_payment",
    )
    lines = [{"product_id": order["items"][0]["product_id"], "quantity": 2}]
    assert reservation.body == {"order_id": order["id"], "lines": lines, "ttl_seconds": 300}
    money = {"amount": 3998, "currency": "EUR", "payment_method": "tok_secret"}
    assert payment.body == {"order_id": order["id"], "user_id": str(ANN), **money}
    assert all(one.headers["Authorization"].startswith("Bearer ") for one in asked.asked)
    assert set(saga.context_data) == {"order_id", "user_id", "lines"}
    assert "tok_secret" not in str(saga.context_data)


REFUSALS = [
    ("GET user", error(404, "NOT_FOUND"), "user_unknown", []),
    ("GET user", (200, {"id": str(ANN), "is_active": False}), "user_inactive", []),
    (
        "PUT reservation",
        error(422, "BUSINESS_LOGIC_ERROR", business_rule="insufficient_stock"),
        "insufficient_stock",
        [],
    ),
    ("PUT reservation", error(404, "NOT_FOUND"), "insufficient_stock", []),
    ("PUT payment", error(402, "PAYMENT_DECLINED", reason="card_declined"), "payment_declined", ["DELETE reservation"]),
]


@pytest.mark.parametrize(("what", "answer", "reason", "undone"), REFUSALS, ids=[each[2] for each in REFUSALS])
def test_a_refusal_rejects_the_order_and_undoes_what_was_done(
    stage: Stage, order: dict[str, Any], what: str, answer: Answer, reason: str, undone: list[str]
) -> None:
    stage.neighbours.say(what, answer)
    assert stage.ended(order["id"]) == ("rejected", reason)
    assert [each for each in stage.neighbours.heard() if each.startswith("DELETE")] == undone


@pytest.mark.parametrize("what", ["PUT reservation", "PUT payment"])
def test_a_key_that_another_hand_cancelled_cancels_the_order(stage: Stage, order: dict[str, Any], what: str) -> None:
    stage.neighbours.say(what, error(409, "CONFLICT", conflict="cancelled"))
    assert stage.ended(order["id"]) == ("cancelled", "deadline")


def test_a_refusal_for_no_reason_of_the_contract_is_told_to_a_person(
    stage: Stage, order: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    stage.neighbours.say("PUT payment", error(422, "BUSINESS_LOGIC_ERROR", business_rule="different_payment"))
    assert stage.ended(order["id"]) == ("cancelled", "deadline")
    [told] = [record for record in caplog.records if record.msg == "order.refused_unexpectedly"]
    assert (told.levelno, told.reason) == (logging.ERROR, "different_payment")


UNCLEAR = {
    "lost answer": DROPPED,
    "busy": BUSY,
    "broken": (500, {}),
    "unreadable": (201, "captured"),
    "other money": (201, {"key": "k", "state": "captured", "amount": 1, "currency": "EUR"}),
    "no credentials": error(401, "NOT_AUTHENTICATED"),
}


@pytest.mark.parametrize("answer", UNCLEAR.values(), ids=UNCLEAR)
def test_an_unclear_payment_is_asked_for_again_with_its_key(
    stage: Stage, order: dict[str, Any], answer: Answer
) -> None:
    def captured(asked: Asked) -> tuple[int, Any]:
        return 201, {"key": asked.key, "state": "captured", "amount": 3998, "currency": "EUR"}

    stage.neighbours.say("PUT payment", *[answer] * 4, captured)
    assert stage.ended(order["id"]) == ("confirmed", "")
    assert len({one.key for one in stage.neighbours.of("PUT payment")}) == 1
    assert not stage.neighbours.of("DELETE payment")


@pytest.mark.parametrize("status", [503, 504])
def test_the_saga_says_why_its_payment_is_open_in_the_words_of_payments(
    stage: Stage, order: dict[str, Any], status: int
) -> None:
    stage.neighbours.say("PUT payment", error(status, "SERVICE_UNAVAILABLE"))
    stage.later(3)
    assert SagaExecution.objects.get().error == "ServiceUnavailable: payments: Payments has no outcome: No."


def test_a_payment_that_stays_unclear_is_cancelled_at_the_deadline_and_not_before(
    stage: Stage, order: dict[str, Any]
) -> None:
    stage.neighbours.say("PUT payment", BUSY)
    stage.later(115)
    assert Order.objects.get().status == "pending"
    assert not stage.neighbours.of("DELETE payment")
    assert stage.ended(order["id"]) == ("cancelled", "deadline")
    assert [each for each in stage.neighbours.heard() if each.startswith("DELETE")] == [
        "DELETE payment",
        "DELETE reservation",
    ]


def test_an_order_stays_pending_until_its_cancelled_payment_is_certain(stage: Stage, order: dict[str, Any]) -> None:
    """Stock goes back, and the customer is told, only after payments has confirmed the cancel."""
    stage.neighbours.say("PUT payment", DROPPED)
    stage.neighbours.say("DELETE payment", BUSY)
    stage.later(400)
    assert Order.objects.get().status == "pending"
    assert not stage.neighbours.of("DELETE reservation")
    stage.neighbours.say("DELETE payment", (200, {"state": "refunded"}))
    assert stage.ended(order["id"]) == ("cancelled", "deadline")


def test_a_wish_before_the_payment_cancels_the_order(stage: Stage, order: dict[str, Any]) -> None:
    stage.drive(calls=1)
    assert cancel(stage.ann, order["id"]).status_code == 202
    assert stage.ended(order["id"]) == ("cancelled", "requested")
    assert "PUT payment" not in stage.neighbours.heard()


def test_a_wish_while_the_payment_is_unclear_cancels_both(stage: Stage, order: dict[str, Any]) -> None:
    stage.neighbours.say("PUT payment", BUSY)
    stage.later(3)
    cancel(stage.ann, order["id"])
    assert stage.ended(order["id"]) == ("cancelled", "requested")
    assert stage.neighbours.heard()[-2:] == ["DELETE payment", "DELETE reservation"]


def test_a_wish_after_the_payment_comes_too_late(stage: Stage, order: dict[str, Any]) -> None:
    stage.neighbours.say("POST commit", BUSY, (200, {"state": "committed"}))
    stage.drive(calls=3)
    assert stage.log()[-1] == "do capture_payment ok"
    assert cancel(stage.ann, order["id"]).status_code == 202
    assert stage.ended(order["id"]) == ("confirmed", "")
    history = stage.ann.get(f"/api/v1/orders/{order['id']}/").json()["history"]
    assert [entry["detail"] for entry in history] == ["placed", "cancellation requested", ""]


def test_a_hold_is_renewed_while_the_payment_is_unclear(stage: Stage, order: dict[str, Any]) -> None:
    stage.neighbours.say("PUT payment", BUSY)
    stage.later(105)
    renewals = stage.neighbours.of("PUT reservation")
    assert [one.body for one in renewals] == [renewals[0].body] * 2
    assert len({one.key for one in renewals}) == 1


def test_a_hold_that_was_lost_meanwhile_cancels_the_order(stage: Stage, order: dict[str, Any]) -> None:
    stage.neighbours.say("PUT payment", BUSY)
    stage.later(10)
    stage.neighbours.say("PUT reservation", error(409, "CONFLICT", conflict="cancelled"))
    assert stage.ended(order["id"]) == ("cancelled", "deadline")


def test_paid_stock_is_committed_however_long_it_takes(stage: Stage, order: dict[str, Any]) -> None:
    stage.neighbours.say("POST commit", DROPPED)
    stage.later(300)
    assert Order.objects.get().status == "pending"
    stage.neighbours.say("POST commit", (200, {"state": "committed"}))
    assert stage.ended(order["id"]) == ("confirmed", "")


def test_a_neighbour_that_is_away_for_a_while_costs_time_only(stage: Stage, order: dict[str, Any]) -> None:
    stage.neighbours.say("GET user", DROPPED)
    stage.neighbours.say("PUT reservation", BUSY)
    stage.later(50)
    stage.neighbours.forget()
    assert stage.ended(order["id"]) == ("confirmed", "")
