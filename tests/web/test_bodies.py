"""Whatever comes as a body: read exactly, or refused with a 4xx envelope that changes nothing."""

import json
from typing import Any

import pytest
from django.test import Client

from bandstand.errors import PayloadTooLarge, ServiceError, UnsupportedMediaType, ValidationFailed
from bandstand.web.parsers import check_media_type, parse_json
from tests.project.models import Product

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.web.api")]

ID = "0192f3a0-0000-7000-8000-000000000000"


def check(body: bytes | str, *, content_type: str = "application/json", **extra: Any) -> Any:
    return Client(raise_request_exception=False).post("/products/check/", body, content_type=content_type, **extra)


def order(**changes: Any) -> dict[str, Any]:
    return {"items": [{"product_id": ID, "quantity": 1}], **changes}


def line(quantity: str = "1", product_id: str = f'"{ID}"') -> str:
    return f'{{"items": [{{"product_id": {product_id}, "quantity": {quantity}}}]}}'


def assert_refused(response: Any, *, status: int = 400) -> dict[str, Any]:
    assert response.status_code == status, response.content
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"code", "message", "details", "correlation_id", "service", "timestamp"}
    assert not Product.objects.exists()
    return error


def test_a_good_body_is_read() -> None:
    full = order(at="2026-01-02T03:04:05Z", day="2026-01-02", gift=True, kind="a", note='naïve \U0001f600 : \\ "')
    for body in (json.dumps(full), json.dumps(full, ensure_ascii=False).encode(), f" \n{json.dumps(full)}\n"):
        assert check(body).json() == {"lines": 1}


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"{", b"null x", b"{} {}", b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000,
        b'{"items": [], "items": []}', b'{"note":"a","note":"a"}', b'{"a":1,"\\u0061":2}',
        b'{"items":[{"quantity":1,"quantity":2}]}', b'{"a":1,"a":2,"b":"\\u003a"}', b'{"a:":1,"a:":2}',
        b'{"items": NaN}', b'{"items": Infinity}', b'{"items": -Infinity}', b'{"items": 1e999}',
        b"\xef\xbb\xbf{}", '{"note": "é"}'.encode("utf-16"), '{"note": "é"}'.encode("latin-1"),
        b'{"note": "\\ud800"}', b'{"note": "\xed\xa0\x80"}', b'{"note": "\\u0000"}', b'{"no\\u0000te": 1}',
        b'{"note": "\x00"}', b'{"note": "tab\there"}', b"{'note': 1}", b'{"note": 1,}', b'{"note": 01}', b"// x\n{}",
        b"[]", b'"text"', b"1", b"null", b"true",
    ],
    ids=lambda body: repr(body[:24]),
)  # fmt: skip
def test_a_body_that_is_no_honest_json_object_is_refused(body: bytes) -> None:
    assert assert_refused(check(body))["code"] == "VALIDATION_ERROR"


@pytest.mark.parametrize(
    "quantity",
    ["-1", "0", "1e3", "1.0", "1.9", '"1"', "9" * 30, "9" * 5000, "-" + "9" * 30, str(2**31), str(2**63), "true",
     "null", "[1]", "{}", '"١٢"', "1001", "1e999", '""'],
)  # fmt: skip
def test_a_quantity_is_an_integer_in_its_bounds_and_nothing_like_one(quantity: str) -> None:
    assert_refused(check(line(quantity)))


@pytest.mark.parametrize(
    "product_id",
    [
        "1",
        "null",
        "true",
        '""',
        '"x"',
        f'"{ID[:-1]}"',
        f'"{{{ID}}}"',
        f'"urn:uuid:{ID}"',
        f'"{ID.replace("-", "")}"',
        f'"{ID} "',
    ],
)
def test_an_id_has_its_canonical_form(product_id: str) -> None:
    error = assert_refused(check(line(product_id=product_id)))
    assert list(error["details"]["field_errors"]) == ["items.0.product_id"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("note", 1), ("note", True), ("note", 1.5), ("note", ["a"]), ("note", {}), ("note", "x" * 201), ("note", None),
        ("gift", 1), ("gift", "true"), ("gift", 0), ("gift", "yes"), ("gift", None),
        ("kind", "c"), ("kind", 1), ("kind", ["a"]), ("kind", {"a": 1}),
        ("day", "2026-1-2"), ("day", "20260102"), ("day", "2026-02-30"), ("day", "2026-W01-1"), ("day", 5),
        ("day", "٢٠٢٦-01-02"),
        ("at", "2026-01-02"), ("at", "2026-01-02T03:04:05"), ("at", "2026-01-02 03:04:05Z"), ("at", 1767322800),
        ("at", "2026-13-02T03:04:05Z"), ("at", "0001-01-01T00:00:00+23:59"), ("at", "9999-12-31T23:59:59-23:59"),
        ("items", []), ("items", {}), ("items", "x"), ("items", None), ("items", [1]), ("items", [[]]),
        ("items", [{"product_id": ID, "quantity": 1}] * 51), ("items", [{"product_id": ID, "quantity": 1, "price": 1}]),
        ("total", 0), ("user_id", ID), ("status", "confirmed"), ("items.0", 1), ("", 1), ("x" * 5000, 1),
        ("__proto__", {}),
    ],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
def test_a_field_of_another_type_and_an_unknown_field_are_refused(field: str, value: Any) -> None:
    assert assert_refused(check(json.dumps(order(**{field: value}))))["details"]["field_errors"]


@pytest.mark.parametrize(
    ("content_type", "extra"),
    [
        ("text/plain", {}), ("application/x-www-form-urlencoded", {}), ("multipart/form-data; boundary=x", {}),
        ("", {}),
        ("application/jsonp", {}), ("application/json; charset=utf-16", {}), ("application/json; charset=utf-7", {}),
        ("application/xml", {}), ("application/json, text/plain", {}),
        ("application/json", {"HTTP_CONTENT_ENCODING": "gzip"}),
    ],
)  # fmt: skip
def test_what_is_not_plain_json_in_utf_8_is_unsupported(content_type: str, extra: dict[str, str]) -> None:
    assert_refused(check(json.dumps(order()), content_type=content_type, **extra), status=415)


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", 'APPLICATION/JSON;charset="UTF-8"']
)
def test_utf_8_may_be_said(content_type: str) -> None:
    assert check(json.dumps(order()), content_type=content_type).status_code == 200


def test_a_body_over_the_limit_is_too_large() -> None:
    assert_refused(check(json.dumps(order(note="x" * (1 << 20)))), status=413)
    assert_refused(check(b'{"a":[' + b"0," * 600_000 + b"0]}"), status=413)


def test_a_million_keys_are_read_in_linear_time() -> None:
    body = b"{" + b",".join(b'"%d":0' % number for number in range(80_000)) + b"}"
    assert len(assert_refused(check(body))["details"]["field_errors"]) <= 20


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"order_id":"%s","quantity":1,"quantity":2}' % ID.encode(), ValidationFailed),
        (b"[" * 10**5, ValidationFailed),
    ],
)
def test_plain_views_read_by_the_same_rules(body: bytes, error: type[ServiceError]) -> None:
    with pytest.raises(error):
        parse_json(body)
    assert_refused(Client().post("/plain/", body, content_type="application/json"))


@pytest.mark.parametrize("quantity", ["1.0", "true", '"1"', "0", "1001", "null", str(2**64)])
def test_plain_views_coerce_nothing(quantity: str) -> None:
    body = f'{{"order_id":"{ID}","quantity":{quantity}}}'
    assert_refused(Client().post("/plain/", body, content_type="application/json"))


def test_plain_views_name_the_field_that_is_wrong() -> None:
    response = Client().post("/plain/", {"order_id": "x", "quantity": 1}, content_type="application/json")
    assert list(assert_refused(response)["details"]["field_errors"]) == ["order_id"]


def test_plain_views_bound_the_body() -> None:
    response = Client().post("/plain/", b'{"a":"%s"}' % (b"x" * (1 << 20)), content_type="application/json")
    assert_refused(response, status=PayloadTooLarge.status)


def test_nesting_is_allowed_up_to_the_limit_and_brackets_in_text_do_not_count() -> None:
    assert parse_json(b"[" * 32 + b"]" * 32)
    assert parse_json(json.dumps(["[{" * 500, '\\"[[' * 100]).encode())
    with pytest.raises(ValidationFailed):
        parse_json(b"[" * 33 + b"]" * 33)


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), 0])
def test_integers_of_64_bits_are_read(value: int) -> None:
    assert parse_json(str(value).encode()) == value


def test_an_unterminated_string_costs_one_pass() -> None:
    with pytest.raises(ValidationFailed):
        parse_json(b"[" * 40 + b'"' + b'\\"a' * 300_000)


def test_an_absent_content_type_is_unsupported() -> None:
    with pytest.raises(UnsupportedMediaType):
        check_media_type(None)
