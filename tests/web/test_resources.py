"""Single resources: what may be written, under which tag, at which address."""

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.project.models import Product

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.web.api")]

BODY = {"sku": "A", "name": "Lamp", "price": {"amount": 100, "currency": "EUR"}}


def send(method: str, path: str, body: Any = None, **headers: str) -> Any:
    client = Client(raise_request_exception=False)
    data = json.dumps(body) if body is not None else ""
    return getattr(client, method)(
        path, data, content_type="application/json", headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


@pytest.fixture
def product() -> Product:
    return Product.objects.create(sku="A", name="Lamp", price_amount=100)


@pytest.mark.parametrize(
    "field", ["id", "created_at", "updated_at", "is_staff", "owner", "price_amount", "pk", "_state"]
)
def test_on_post_a_field_that_is_not_writable_is_unknown(field: str) -> None:
    response = send("post", "/products/", {**BODY, field: "x"})
    assert response.status_code == 400
    assert response.json()["error"]["details"]["field_errors"] == {field: ["Unknown field."]}
    assert not Product.objects.exists()


def test_on_put_read_only_fields_may_be_sent_back_and_are_ignored(product: Product) -> None:
    seen = send("get", f"/products/{product.pk}/").json()
    sent = {
        **seen,
        "name": "Lantern",
        "id": "0192f3a0-0000-7000-8000-000000000000",
        "created_at": "1999-01-01T00:00:00Z",
    }
    answer = send("put", f"/products/{product.pk}/", sent)
    assert (answer.status_code, answer.json()["name"]) == (200, "Lantern")
    assert (answer.json()["id"], answer.json()["created_at"]) == (seen["id"], seen["created_at"])
    assert send("put", f"/products/{product.pk}/", {**seen, "is_staff": True}).status_code == 400


def test_times_are_utc_and_money_is_an_object(product: Product) -> None:
    answer = send("get", f"/products/{product.pk}/").json()
    assert answer["price"] == {"amount": 100, "currency": "EUR"}
    assert answer["created_at"].endswith("Z")


@pytest.mark.parametrize(
    "price",
    [1, "1", None, {}, [], {"amount": 1}, {"amount": 1, "currency": "EUR", "x": 1}, {"amount": 0, "currency": "EUR"},
     {"amount": -1, "currency": "EUR"}, {"amount": 1.0, "currency": "EUR"}, {"amount": "1", "currency": "EUR"},
     {"amount": True, "currency": "EUR"}, {"amount": 2**53 + 1, "currency": "EUR"}, {"amount": 1, "currency": "eur"},
     {"amount": 1, "currency": "IDR"}, {"amount": 1, "currency": 1}, {"amount": 1, "currency": ["EUR"]}],
)  # fmt: skip
def test_money_is_an_integer_of_minor_units_in_a_known_currency(price: Any) -> None:
    response = send("post", "/products/", {**BODY, "price": price})
    assert (response.status_code, list(response.json()["error"]["details"]["field_errors"])) == (400, ["price"])


def test_a_taken_value_is_a_conflict_and_no_look_before_the_write(product: Product) -> None:
    response = send("post", "/products/", BODY)
    assert (response.status_code, response.json()["error"]["details"]) == (409, {"conflict": "unique"})


@pytest.mark.parametrize("path", ["/products", "/products/"])
def test_both_spellings_answer_and_none_redirects(path: str) -> None:
    assert send("post", path, BODY).status_code == 201
    assert send("get", path).status_code == 200
    assert send("put", path.replace("products", "orders")).status_code == 405


def test_addresses_are_written_with_their_slash() -> None:
    assert reverse("orders") == "/orders/"
    assert reverse("product-list") == "/products/"


def test_a_tag_names_a_state(product: Product) -> None:
    path = f"/products/{product.pk}/"
    first = send("get", path)["ETag"]
    assert send("get", path)["ETag"] == first
    changed = send("put", path, {**BODY, "name": "Lantern"})
    assert changed["ETag"] not in ("", first)
    assert send("get", path)["ETag"] == changed["ETag"]


def test_who_knows_the_state_is_spared_the_body(product: Product) -> None:
    path = f"/products/{product.pk}/"
    tag = send("get", path)["ETag"]
    for known in (tag, f'"x", W/{tag}', "*"):
        response = send("get", path, If_None_Match=known)
        assert (response.status_code, response.content, response["ETag"]) == (304, b"", tag)
    assert send("get", path, If_None_Match='"x"').status_code == 200


def test_an_update_of_a_stale_state_changes_nothing(product: Product) -> None:
    path = f"/products/{product.pk}/"
    tag = send("get", path)["ETag"]
    assert send("put", path, {**BODY, "name": "Mine"}, If_Match=tag).status_code == 200
    stale = send("put", path, {**BODY, "name": "Theirs"}, If_Match=tag)
    assert (stale.status_code, stale.json()["error"]["code"]) == (412, "PRECONDITION_FAILED")
    product.refresh_from_db()
    assert product.name == "Mine"


@pytest.mark.parametrize("header", ['"x"', "W/{tag}", '"x", "y"'])
def test_only_the_strong_tag_matches(product: Product, header: str) -> None:
    path = f"/products/{product.pk}/"
    tag = send("get", path)["ETag"]
    assert send("put", path, BODY, If_Match=header.format(tag=tag)).status_code == 412
    assert send("put", path, BODY, If_Match=f'"x", {tag}').status_code == 200
    assert send("put", path, BODY, If_Match="*").status_code == 200


@pytest.mark.parametrize("header", ["x", '"', '"a" "b"', "", "*, *", '"' + "x" * 5000 + '"', '"é"'])
def test_a_malformed_tag_is_refused(product: Product, header: str) -> None:
    assert send("put", f"/products/{product.pk}/", BODY, If_Match=header).status_code == 400
