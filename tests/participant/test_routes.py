"""The routes of a participant: `PUT`, `DELETE` and `GET` of a key."""

from typing import Any

import pytest
from django.test import Client

from bandstand.testing.tokens import service_headers, user_headers
from tests.participant.bookings import PATH, seats

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.participant.bookings")]


def put(client: Client, key: str, body: Any) -> Any:
    return client.put(PATH.format(key=key), body, content_type="application/json")


def told(answer: Any) -> tuple[int, Any]:
    return answer.status_code, answer.json()


def test_the_life_of_a_key(orders: Client, key: str) -> None:
    path = PATH.format(key=key)
    assert orders.get(path).status_code == 404
    status, booked = told(put(orders, key, {"seats": 2}))
    assert (status, booked["seats"]) == (201, 2)
    assert told(put(orders, key, {"seats": 2})) == (200, booked)
    assert told(orders.get(path)) == (200, {"state": "applied", "answer": booked})
    assert told(orders.delete(path)) == (200, {"state": "cancelled", "found": "applied"})
    assert told(orders.delete(path)) == (200, {"state": "cancelled", "found": "cancelled"})
    assert told(orders.get(path)) == (200, {"state": "cancelled", "answer": booked})
    assert seats(key) == 0


def test_refusals_are_envelopes(orders: Client, key: str) -> None:
    put(orders, key, {"seats": 2})
    different = put(orders, key, {"seats": 3})
    orders.delete(PATH.format(key=key))
    late = put(orders, key, {"seats": 2})
    details = [(answer.status_code, answer.json()["error"]["details"]) for answer in (different, late)]
    assert details == [
        (422, {"key": key, "business_rule": "different_request"}),
        (409, {"key": key, "conflict": "cancelled"}),
    ]


def test_what_was_sent_tells_requests_apart_not_what_it_was_read_into(orders: Client, key: str) -> None:
    """A release that gives the body a new field with a default still knows the repeats of the one before."""
    put(orders, key, {"seats": 2})
    assert put(orders, key, {"seats": 2, "order_id": None}).status_code == 422
    assert put(orders, key, {"seats": 2}).status_code == 200


def test_a_cancel_of_what_never_came_says_so(orders: Client, key: str) -> None:
    assert told(orders.delete(PATH.format(key=key))) == (200, {"state": "cancelled", "found": "absent"})
    assert told(orders.get(PATH.format(key=key))) == (200, {"state": "cancelled", "answer": None})


def test_a_bad_body_spends_no_key(orders: Client, key: str) -> None:
    assert put(orders, key, {"seats": "two"}).status_code == 400
    assert put(orders, key, {"seats": 2}).status_code == 201


@pytest.mark.parametrize("headers", [{}, "payments", "user"])
def test_only_callers_that_are_named_come_in(headers: Any, key: str) -> None:
    known = {"payments": lambda: service_headers("payments"), "user": lambda: user_headers(user_id=key)}
    stranger = Client(headers=known[headers]() if headers else {})
    answers = [
        put(stranger, key, {"seats": 1}),
        stranger.get(PATH.format(key=key)),
        stranger.delete(PATH.format(key=key)),
    ]
    assert {answer.status_code for answer in answers} <= {401, 403}
    assert seats(key) == 0
