"""Error answers: one envelope on every path, RFC 9457 for those who accept it, honest statuses."""

import json
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation, ValidationError
from django.db import DatabaseError, DataError, IntegrityError, OperationalError, connection, transaction
from django.http import Http404
from django.test import Client, RequestFactory, override_settings

from bandstand import context, errors
from bandstand.context import Context
from bandstand.web.faults import error_from_exception
from bandstand.web.problems import from_exception, response_for
from tests.project.models import Part, Product

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.web.api")]

FIELDS = {"code", "message", "details", "correlation_id", "service", "timestamp"}


def get(path: str, *, accept: str | None = None, method: str = "get") -> Any:
    return getattr(Client(raise_request_exception=False), method)(path, **({"HTTP_ACCEPT": accept} if accept else {}))


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/nowhere/", 404, "NOT_FOUND"),
        ("/products/0192f3a0-0000-7000-8000-000000000000/", 404, "NOT_FOUND"),
        ("/products/not-a-uuid/", 404, "NOT_FOUND"),
        ("/products/%00/", 404, "NOT_FOUND"),
        ("/products/?page=0", 400, "VALIDATION_ERROR"),
        ("/faults/unexpected/", 500, "INTERNAL_ERROR"),
        ("/raises/unexpected/", 500, "INTERNAL_ERROR"),
        ("/faults/rate/", 429, "RATE_LIMITED"),
        ("/faults/remote/", 503, "SERVICE_UNAVAILABLE"),
        ("/faults/database/", 503, "SERVICE_UNAVAILABLE"),
    ],
)
@pytest.mark.parametrize("debug", [False, True])
def test_every_error_has_the_envelope(path: str, status: int, code: str, debug: bool) -> None:
    with override_settings(DEBUG=debug, MIDDLEWARE=["bandstand.web.middleware.EdgeMiddleware"]):
        response = get(path)
    assert response.status_code == status
    assert response["Content-Type"] == "application/json"
    error = response.json()["error"]
    assert set(error) == FIELDS
    assert (error["code"], error["service"]) == (code, "project")
    assert error["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    ("method", "path"), [("delete", "/orders/"), ("patch", "/products/x/"), ("options", "/products/")]
)
def test_a_method_that_is_not_there_says_which_are(method: str, path: str) -> None:
    response = get(path, method=method)
    assert (response.status_code, response.json()["error"]["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert response["Allow"]


def test_the_correlation_id_is_the_requests_own() -> None:
    with context.bound(Context(correlation_id="abcdefgh-1")):
        response = response_for(errors.NotFound())
    assert json.loads(response.content)["error"]["correlation_id"] == "abcdefgh-1"


@pytest.mark.parametrize(
    ("accept", "problem"),
    [
        ("application/problem+json", True),
        ("application/json, application/problem+json", True),
        ("application/problem+json;q=0.5, application/json", False),
        ("application/problem+json;q=0", False),
        ("*/*", False),
        ("garbage;;;,,/", False),
        ("x" * 100_000, False),
    ],
)
def test_rfc_9457_is_negotiated(accept: str, problem: bool) -> None:
    response = get("/nowhere/", accept=accept)
    assert response["Content-Type"] == ("application/problem+json" if problem else "application/json")
    assert response.status_code == 404


def test_a_problem_points_at_what_is_wrong() -> None:
    body = {"items": [{"product_id": "x", "quantity": 0}]}
    response = Client().post(
        "/products/check/", body, "application/json", headers={"Accept": "application/problem+json"}
    )
    problem = response.json()
    assert (problem["type"], problem["title"], problem["status"]) == ("about:blank", "Bad Request", 400)
    assert (problem["instance"], problem["code"]) == ("/products/check/", "VALIDATION_ERROR")
    assert {error["pointer"] for error in problem["errors"]} == {"#/items/0/product_id", "#/items/0/quantity"}


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("text/html", 406), ("application/xml, text/*", 406), ("application/json;q=0", 406), ("*/*;q=0", 406),
        ("application/json;q=0, */*", 406), ("application/*", 200), ("text/html, */*;q=0.1", 200),
        ("application/problem+json", 200), ("", 200), ("APPLICATION/JSON", 200),
        ("application/json; charset=utf-8", 200),
    ],
)  # fmt: skip
def test_who_accepts_no_json_gets_nothing_else(accept: str, status: int) -> None:
    assert get("/products/", accept=accept).status_code == status


def test_what_a_remote_failure_said_stays_in_the_log() -> None:
    response = get("/faults/remote/")
    assert "10.0.0.7" not in response.content.decode()
    assert response.json()["error"]["details"] == {"service_name": "products"}


def test_the_cause_of_a_fault_of_ours_stays_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    response = get("/faults/unexpected/")
    assert "secret cause" not in response.content.decode()
    assert "secret cause" in caplog.text


@pytest.mark.parametrize(("path", "seconds"), [("/faults/rate/", "7"), ("/faults/database/", "1")])
def test_who_should_come_again_is_told_when(path: str, seconds: str) -> None:
    assert get(path)["Retry-After"] == seconds


def test_a_401_carries_its_challenge() -> None:
    assert response_for(errors.NotAuthenticated())["WWW-Authenticate"] == "Bearer"


def test_an_error_that_json_cannot_say_is_still_answered() -> None:
    response = response_for(errors.Conflict("\ud800", huge=2**70, odd=object()))
    assert json.loads(response.content)["error"]["code"] == "CONFLICT"


@pytest.mark.parametrize(
    ("exception", "expected"),
    [
        (Http404("secret"), errors.NotFound),
        (Product.DoesNotExist(), errors.NotFound),
        (PermissionDenied(), errors.PermissionDenied),
        (SuspiciousOperation("x"), errors.ValidationFailed),
        (ValidationError({"name": ["bad"]}), errors.ValidationFailed),
        (ValidationError("bad"), errors.ValidationFailed),
        (OperationalError("server closed the connection"), errors.ServiceUnavailable),
        (DataError("integer out of range"), errors.ValidationFailed),
        (IntegrityError("unknown"), errors.InternalError),
        (KeyError("x"), errors.InternalError),
        (RecursionError(), errors.InternalError),
    ],
)
def test_exceptions_of_django_have_a_meaning(exception: Exception, expected: type[errors.ServiceError]) -> None:
    assert type(error_from_exception(exception)) is expected


def _caught(**columns: Any) -> Exception:
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        Product.objects.create(**columns)
    return caught.value


def test_constraints_of_the_database_are_conflicts() -> None:
    Product.objects.create(sku="A", name="A")
    faults = (_caught(sku="A"), _caught(sku="B", price_amount=-1))
    assert [error_from_exception(fault).details["conflict"] for fault in faults] == ["unique", "constraint"]


def test_a_wrong_statement_is_our_fault() -> None:
    with pytest.raises(DatabaseError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT * FROM nowhere")
    assert type(error_from_exception(caught.value)) is errors.InternalError


@pytest.mark.django_db(transaction=True)
def test_a_dangling_reference_is_a_conflict() -> None:
    with pytest.raises(IntegrityError) as caught:
        Part.objects.create(product_id="0192f3a0-0000-7000-8000-000000000000", number=1)
    assert error_from_exception(caught.value).details["conflict"] == "reference"


def _write_read_only() -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA query_only = ON" if connection.vendor == "sqlite" else "SET TRANSACTION READ ONLY")
    Product.objects.create(sku="A", name="A")


def _make_writable() -> None:
    if connection.vendor == "sqlite":  # PostgreSQL forgets it with the savepoint
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA query_only = OFF")


def test_a_read_only_database_is_unavailable_for_a_while() -> None:
    try:
        with pytest.raises(DatabaseError) as caught, transaction.atomic():
            _write_read_only()
    finally:
        _make_writable()
    response = from_exception(caught.value, RequestFactory().get("/"))
    assert (response.status_code, response["Retry-After"]) == (503, "1")
