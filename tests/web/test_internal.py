"""Internal routes: open to the services named, strict about everything, cheap."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from bandstand import context
from bandstand.testing.tokens import service_headers, user_headers

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.web.internal_api")]

ID = "0192f3a0-0000-7000-8000-000000000000"
BODY = {"order_id": ID, "lines": [{"product_id": ID, "quantity": 2}]}
PATH = "/internal/v1/reservations/key-1/"


@pytest.fixture(autouse=True)
def trusted(trust_issuers: Callable[..., None]) -> None:
    trust_issuers("orders", "payments", "users")


def put(body: Any = None, *, path: str = PATH, method: str = "put", headers: dict[str, str] | None = None) -> Any:
    headers = service_headers("orders") if headers is None else headers
    data = body if isinstance(body, bytes) else json.dumps(BODY if body is None else body)
    client = Client(raise_request_exception=False)
    return getattr(client, method)(path, data, content_type="application/json", headers=headers)


@pytest.mark.parametrize("path", [PATH, PATH.rstrip("/")])
def test_the_named_service_is_served(path: str) -> None:
    headers = service_headers("orders")
    context.bind(None)
    response = put(path=path, headers=headers)
    assert (response.status_code, response.json()) == (201, {"key": "key-1", "caller": "orders", "lines": 1})
    assert context.peek() is None, "the caller's context ends with the request"


@pytest.mark.parametrize(
    ("who", "status"),
    [("nobody", 401), ("garbage", 401), ("a user", 401), ("another service", 403)],
)
def test_nobody_else_is(who: str, status: int) -> None:
    headers = {
        "nobody": {},
        "garbage": {"Authorization": "Bearer x"},
        "a user": user_headers(user_id=ID, roles=["staff"]),
        "another service": service_headers("payments"),
    }[who]
    response = put(headers=headers)
    assert response.status_code == status
    assert set(response.json()["error"]) >= {"code", "correlation_id", "service"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b" ", ""), (b"[]", ""), (b"[" * 100_000, ""), (b'{"order_id":1,"order_id":2}', ""), ({**BODY, "price": 1}, ""),
        ({**BODY, "order_id": 7}, "order_id"), ({**BODY, "lines": []}, "lines"),
        ({**BODY, "lines": [{"product_id": ID, "quantity": 1.0}]}, "lines.0.quantity"),
        ({**BODY, "lines": [{"product_id": ID, "quantity": True}]}, "lines.0.quantity"),
        ({**BODY, "lines": [{"product_id": ID, "quantity": "1"}]}, "lines.0.quantity"),
        ({**BODY, "ttl_seconds": 0}, "ttl_seconds"), ({**BODY, "ttl_seconds": None}, "ttl_seconds"),
    ],
    ids=lambda value: repr(value)[-30:],
)  # fmt: skip
def test_a_body_that_does_not_fit_is_refused_by_name(body: Any, field: str) -> None:
    response = put(body)
    assert response.status_code == 400
    assert list(response.json()["error"]["details"]["field_errors"]) in ([field], [])


def test_errors_of_the_domain_and_faults_of_ours_have_the_envelope() -> None:
    refused, fault = put({**BODY, "ttl_seconds": 13}), put(method="delete")
    assert (refused.status_code, refused.json()["error"]["details"]) == (422, {"business_rule": "unlucky"})
    assert (fault.status_code, fault.json()["error"]["code"]) == (500, "INTERNAL_ERROR")
    assert b"secret" not in fault.content


def test_methods_types_and_queries_are_judged_as_everywhere() -> None:
    wrong_method = put(method="post")
    assert (wrong_method.status_code, wrong_method["Allow"]) == (405, "DELETE, PUT")
    assert put(path=f"{PATH}?x=1").status_code == 400
    assert put(headers={**service_headers("orders"), "Accept": "text/html"}).status_code == 406
