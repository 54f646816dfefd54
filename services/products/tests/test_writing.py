"""What staff do to the catalogue: events in the same transaction, rules in the database, stale writes refused."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client

from bandstand.errors import PreconditionFailed
from bandstand.replicas import fill
from bandstand.testing.clock import HeldClock
from bandstand.testing.facts import Facts
from products.commands import Changes, retire_product, update_product
from products.models import Availability, Product

pytestmark = pytest.mark.django_db
NewProduct = Callable[..., Product]
LIST = "/api/v1/products/"
JSON = "application/json"
GUITAR = {"sku": "G-1", "name": "Guitar", "price": {"amount": 49900, "currency": "EUR"}}


def test_staff_add_a_product(staff: Client, facts: Facts) -> None:
    answer = staff.post(LIST, {**GUITAR, "is_featured": True}, content_type=JSON)
    product = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"{LIST}{product['id']}/"
    assert (product["description"], product["is_featured"], product["available"]) == ("", True, None)
    assert staff.get(answer.headers["Location"]).json() == product
    assert facts() == [("product_created.v1", {"product_id": product["id"], **GUITAR})]


def test_a_repeat_with_the_same_key_adds_nothing(staff: Client, facts: Facts) -> None:
    headers = {"Idempotency-Key": "add-guitar-1"}
    first = staff.post(LIST, GUITAR, content_type=JSON, headers=headers)
    again = staff.post(LIST.rstrip("/"), GUITAR, content_type=JSON, headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())
    assert (again.headers["Idempotency-Replayed"], again.headers["ETag"]) == ("true", first.headers["ETag"])
    assert Product.objects.count() == 1
    assert len(facts()) == 1


def test_a_sku_is_given_once_even_after_it_was_retired(staff: Client, new_product: NewProduct, facts: Facts) -> None:
    retire_product(new_product(sku="G-1").pk)
    other = new_product(sku="G-2")
    facts()
    for answer in (
        staff.post(LIST, GUITAR, content_type=JSON),
        staff.patch(f"{LIST}{other.pk}/", {"sku": "G-1"}, content_type=JSON),
        staff.post(LIST, GUITAR, content_type=JSON, headers={"Idempotency-Key": "add-guitar-1"}),
    ):
        assert (answer.status_code, answer.json()["error"]["details"]["business_rule"]) == (422, "unique_sku")
    assert facts() == []


def test_a_change_is_told_and_a_change_to_the_same_is_not(
    time: HeldClock, staff: Client, new_product: NewProduct, facts: Facts
) -> None:
    product = new_product(sku="G-1", name="Gitar")
    facts()
    time.advance(5)
    for _ in range(2):
        answer = staff.patch(f"{LIST}{product.pk}/", {"name": "Guitar"}, content_type=JSON)
        assert (answer.status_code, answer.json()["name"], answer.json()["sku"]) == (200, "Guitar", "G-1")
        assert answer.json()["updated_at"] == "2026-01-01T12:00:05.000Z"
        time.advance(5)
    price = {"amount": 1999, "currency": "EUR"}
    assert facts() == [
        ("product_updated.v1", {"product_id": str(product.pk), "sku": "G-1", "name": "Guitar", "price": price})
    ]


def test_put_replaces_and_ignores_read_only_fields_sent_back(staff: Client, new_product: NewProduct) -> None:
    product = new_product(description="Old.", is_featured=True)
    fill([Availability(product_id=product.pk, available=3)])
    shown = staff.get(f"{LIST}{product.pk}/").json()
    sent = {**shown, "name": "Guitar", "available": 99, "is_active": False, "id": str(uuid4())}
    answer = staff.put(f"{LIST}{product.pk}/", sent, content_type=JSON)
    assert answer.status_code == 200
    assert answer.json() == {**shown, "name": "Guitar", "updated_at": answer.json()["updated_at"]}
    bare = staff.put(f"{LIST}{product.pk}/", GUITAR, content_type=JSON).json()
    assert (bare["description"], bare["is_featured"], bare["price"]["amount"]) == ("", False, 49900)


def test_what_was_renamed_is_found_under_its_new_name(client: Client, new_product: NewProduct) -> None:
    product = new_product(name="Gitar")
    update_product(product.pk, Changes(name="Guitar"))
    found = [client.get(f"{LIST}?search={word}").json()["pagination"]["total_items"] for word in ("guitar", "gitar")]
    assert found == [1, 0]


def test_retiring_is_told_once_and_final(staff: Client, new_product: NewProduct, facts: Facts) -> None:
    product = new_product()
    facts()
    statuses = [staff.delete(f"{LIST}{product.pk}/").status_code for _ in range(2)]
    assert statuses == [204, 204]
    assert facts() == [("product_retired.v1", {"product_id": str(product.pk)})]
    answer = staff.patch(f"{LIST}{product.pk}/", {"name": "Back"}, content_type=JSON)
    assert (answer.status_code, answer.json()["error"]["details"]["conflict"]) == (409, "retired")


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_what_does_not_exist_is_not_changed(staff: Client, method: str) -> None:
    assert getattr(staff, method)(f"{LIST}{uuid4()}/", GUITAR, content_type=JSON).status_code == 404


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_a_stale_tag_is_refused(staff: Client, new_product: NewProduct, method: str) -> None:
    path = f"{LIST}{new_product(sku='G-1').pk}/"
    stale = staff.get(path).headers["ETag"]
    fresh = staff.patch(path, {"name": "Theirs"}, content_type=JSON).headers["ETag"]
    send = getattr(staff, method)
    refused = send(path, GUITAR, content_type=JSON, headers={"If-Match": stale})
    assert (refused.status_code, refused.json()["error"]["code"]) == (412, "PRECONDITION_FAILED")
    assert staff.get(path).json()["name"] == "Theirs"
    assert send(path, GUITAR, content_type=JSON, headers={"If-Match": fresh}).status_code in (200, 204)


def test_selling_does_not_make_a_tag_stale(staff: Client, new_product: NewProduct) -> None:
    product = new_product()
    tag = staff.get(f"{LIST}{product.pk}/").headers["ETag"]
    fill([Availability(product_id=product.pk, available=3)])
    answer = staff.patch(f"{LIST}{product.pk}/", {"name": "Guitar"}, content_type=JSON, headers={"If-Match": tag})
    assert answer.status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_two_who_change_what_both_have_seen_one_is_refused(new_product: NewProduct) -> None:
    product = new_product()

    def unchanged(row: Product) -> None:
        if row.version != 1:
            raise PreconditionFailed

    def change(number: int) -> str:
        try:
            update_product(product.pk, Changes(name=f"Name {number}"), precondition=unchanged)
        except PreconditionFailed:
            return "refused"
        finally:
            connection.close()
        return "changed"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(change, range(24)))
    assert (outcomes.count("changed"), outcomes.count("refused")) == (1, 23)


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_only_staff_write(
    client: Client, shopper: Client, orders: Client, new_product: NewProduct, facts: Facts, method: str
) -> None:
    path = LIST if method == "post" else f"{LIST}{new_product().pk}/"
    facts()
    statuses = [getattr(who, method)(path, GUITAR, content_type=JSON).status_code for who in (client, shopper, orders)]
    assert statuses == [401, 403, 401]
    assert facts() == []


HOSTILE: list[Any] = [
    b"null",
    b"[]",
    b"{",
    b"\xff",
    b"{}",
    b'{"sku": "A", "sku": "B"}',
    {"price": None},
    {"price": 100},
    {"price": "1.00"},
    {"price": {"amount": 0, "currency": "EUR"}},
    {"price": {"amount": -1, "currency": "EUR"}},
    {"price": {"amount": 1.5, "currency": "EUR"}},
    {"price": {"amount": "1", "currency": "EUR"}},
    {"price": {"amount": True, "currency": "EUR"}},
    {"price": {"amount": 10**30, "currency": "EUR"}},
    {"price": {"amount": 1}},
    {"price": {"amount": 1, "currency": "euro"}},
    {"price": {"amount": 1, "currency": "EUR", "tax": 1}},
    {"sku": ""},
    {"sku": 7},
    {"sku": "x" * 65},
    {"name": " "},
    {"name": "x" * 201},
    {"name": "a\0b"},
    {"description": "x" * 10_001},
    {"is_featured": "true"},
    {"is_featured": 1},
    {"is_active": False},
    {"available": 5},
    {"id": "019b76da-a800-7000-8000-000000000001"},
    {"inventory_count": 5},
    {"__proto__": {}},
]


@pytest.mark.parametrize("body", HOSTILE)
def test_a_hostile_body_is_refused_and_changes_nothing(staff: Client, body: Any) -> None:
    answer = staff.post(LIST, body if isinstance(body, bytes) else {**GUITAR, **body}, content_type=JSON)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR"), answer.content
    assert not Product.objects.exists()


@pytest.mark.parametrize("broken", [{"price_minor": 0}, {"price_minor": -5}, {"sku": "G-2"}])
def test_the_database_itself_refuses_what_breaks_a_rule(new_product: NewProduct, broken: dict[str, Any]) -> None:
    product = new_product(sku="G-1")
    new_product(sku="G-2")
    with pytest.raises(IntegrityError), transaction.atomic():
        Product.objects.filter(pk=product.pk).update(**broken)


def test_ids_are_the_servers(staff: Client) -> None:
    made = staff.post(LIST, GUITAR, content_type=JSON).json()["id"]
    assert UUID(made).version == 7
