"""What anybody sees of the catalogue, and what only staff see."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bandstand.replicas import fill
from bandstand.testing.clock import HeldClock
from products.commands import retire_product
from products.models import Availability, Product
from products.queries import Filter, catalogue

pytestmark = pytest.mark.django_db
NewProduct = Callable[..., Product]
LIST = "/api/v1/products/"


def names(client: Client, query: str = "") -> list[str]:
    answer = client.get(LIST + query)
    assert answer.status_code == 200, answer.content
    return [product["name"] for product in answer.json()["results"]]


def test_a_product_is_told_as_the_contract_says(time: HeldClock, client: Client, new_product: NewProduct) -> None:
    product = new_product(sku="SKU-1", name="Guitar", description="Six strings.", is_featured=True)
    answer = client.get(f"{LIST}{product.pk}/")
    assert answer.json() == {
        "id": str(product.pk),
        "sku": "SKU-1",
        "name": "Guitar",
        "description": "Six strings.",
        "price": {"amount": 1999, "currency": "EUR"},
        "is_featured": True,
        "is_active": True,
        "available": None,
        "created_at": "2026-01-01T12:00:00.000Z",
        "updated_at": "2026-01-01T12:00:00.000Z",
    }
    assert answer.headers["ETag"]
    assert product.pk.version == 7


def test_availability_is_shown_once_it_is_known(client: Client, new_product: NewProduct) -> None:
    product = new_product()
    fill([Availability(product_id=product.pk, available=7)])
    assert client.get(f"{LIST}{product.pk}").json()["available"] == 7
    assert client.get(LIST).json()["results"][0]["available"] == 7


def test_a_page_costs_one_query_and_its_count(client: Client, new_product: NewProduct) -> None:
    for number in range(5):
        fill([Availability(product_id=new_product().pk, available=number)])
    new_product()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert len(names(client)) == 6
    assert len(queries) == 2


def test_lists_are_paginated_and_capped(client: Client, new_product: NewProduct) -> None:
    for number in range(5):
        new_product(name=f"Thing {number}")
    answer = client.get(f"{LIST}?page=2&page_size=2").json()
    assert [product["name"] for product in answer["results"]] == ["Thing 2", "Thing 3"]
    assert answer["pagination"] == {
        "page": 2,
        "page_size": 2,
        "total_items": 5,
        "total_pages": 3,
        "next": "/api/v1/products/?page=3&page_size=2",
        "previous": "/api/v1/products/?page=1&page_size=2",
    }
    assert client.get(f"{LIST}?page_size=101").status_code == 400


@pytest.mark.parametrize("ordering", ["name", "-price", "created_at", ""])
def test_a_cursor_walks_through_everything_once_in_any_order(
    client: Client, new_product: NewProduct, ordering: str
) -> None:
    for number in (3, 1, 4, 1, 5):
        new_product(name=f"Thing {number}", price_minor=number)
    query = f"&ordering={ordering}" if ordering else ""
    walked: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get(f"{LIST}?page_size=2&cursor={cursor}{query}").json()
        walked += [product["id"] for product in page["results"]]
        cursor = page["pagination"]["next_cursor"]
    whole = client.get(f"{LIST}?{query}").json()["results"]
    assert walked == [product["id"] for product in whole]
    assert len(walked) == 5


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["Zither", "Bass Guitar", "Äolsharfe", "Guitar Strap"]),
        ("?search=guitar", ["Bass Guitar", "Guitar Strap"]),
        ("?search=GUITAR%20strap", ["Guitar Strap"]),
        ("?search=äOLS", ["Äolsharfe"]),
        ("?search=wind", ["Äolsharfe"]),
        ("?search=zi-1", ["Zither"]),
        ("?search=%25", []),
        ("?search=_", []),
        ("?search=%20", ["Zither", "Bass Guitar", "Äolsharfe", "Guitar Strap"]),
        ("?search=nothing", []),
        ("?featured=true", ["Bass Guitar"]),
        ("?featured=false", ["Zither", "Äolsharfe", "Guitar Strap"]),
        ("?min_price=500", ["Zither", "Bass Guitar"]),
        ("?max_price=500", ["Zither", "Äolsharfe", "Guitar Strap"]),
        ("?min_price=300&max_price=500", ["Zither"]),
        ("?min_price=9&max_price=1", []),
        ("?ordering=name", ["Bass Guitar", "Guitar Strap", "Zither", "Äolsharfe"]),
        ("?ordering=-price", ["Bass Guitar", "Zither", "Guitar Strap", "Äolsharfe"]),
        ("?ordering=-created_at", ["Guitar Strap", "Äolsharfe", "Bass Guitar", "Zither"]),
        ("?search=guitar&ordering=price", ["Guitar Strap", "Bass Guitar"]),
    ],
)
def test_the_catalogue_is_searched_narrowed_and_ordered(
    client: Client, new_product: NewProduct, query: str, found: list[str]
) -> None:
    new_product(sku="ZI-1", name="Zither", price_minor=500)
    new_product(name="Bass Guitar", price_minor=900, is_featured=True)
    new_product(name="Äolsharfe", price_minor=100, description="Played by the wind.")
    new_product(name="Guitar Strap", price_minor=200)
    assert names(client, query) == found


@pytest.mark.parametrize(
    "query",
    [
        "?color=red",
        "?featured=1",
        "?featured=yes",
        "?min_price=-1",
        "?min_price=1.5",
        "?min_price=",
        "?max_price=٣",
        "?max_price=99999999999999999999",
        "?ordering=sku",
        "?ordering=name,price",
        "?ordering=name&ordering=price",
        f"?search={'x' * 101}",
        "?search=%00",
        "?page=0",
        "?page=x",
        "?cursor=x",
    ],
)
def test_a_query_that_makes_no_sense_is_refused(client: Client, query: str) -> None:
    answer = client.get(LIST + query)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")


def test_what_is_featured_has_a_list_of_its_own(client: Client, new_product: NewProduct) -> None:
    new_product(name="Plain")
    gone = new_product(name="Gone", is_featured=True)
    new_product(name="On show", is_featured=True)
    retire_product(gone.pk)
    answer = client.get(f"{LIST}featured/").json()
    assert [product["name"] for product in answer["results"]] == ["On show"]
    assert answer["pagination"]["total_items"] == 1
    assert client.get(f"{LIST}featured/?search=x").status_code == 400


def test_retired_products_are_shown_to_staff_only(
    client: Client, shopper: Client, staff: Client, new_product: NewProduct
) -> None:
    product = new_product(name="Gone")
    retire_product(product.pk)
    for reader in (client, shopper):
        hidden = reader.get(f"{LIST}{product.pk}/").json()["error"]
        absent = reader.get(f"{LIST}{uuid4()}/").json()["error"]
        assert (
            (hidden["code"], hidden["message"])
            == (absent["code"], absent["message"])
            == ("NOT_FOUND", "No such product.")
        )
        assert names(reader) == []
    assert staff.get(f"{LIST}{product.pk}/").json()["is_active"] is False
    assert names(staff) == ["Gone"]


@pytest.mark.parametrize("wrong", ["x", "0", "019b76da-a800-7000-8000-00000000000g", "%00"])
def test_what_is_no_id_is_not_found(client: Client, wrong: str) -> None:
    answer = client.get(f"{LIST}{wrong}/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")


def test_a_stale_token_is_refused_even_where_none_is_needed(new_product: NewProduct) -> None:
    assert Client(headers={"Authorization": "Bearer rubbish"}).get(LIST).status_code == 401


@pytest.mark.parametrize("ordering", ["name", "-name", "price", "-price", "created_at", "-created_at"])
@pytest.mark.sqlite(reason="reads its plans, which do not depend on how many rows there are")
def test_every_ordering_is_served_by_an_index(ordering: str) -> None:
    plan = catalogue(Filter(ordering=ordering))[:20].explain()
    assert "catalogue_by_" in plan
    assert "TEMP B-TREE" not in plan
