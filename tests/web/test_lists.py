"""Lists: pages, cursors, and query strings that are read exactly."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from tests.project.models import Product

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.web.api")]


def get(query: str = "", *, path: str = "/products/", caller: str = "") -> Any:
    return Client(raise_request_exception=False).get(path + query, headers={"X-Caller": caller} if caller else {})


def make(count: int) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(count):
        moment = start + timedelta(seconds=number)
        Product.objects.create(
            sku=f"S{number:03}",
            name=f"n{number % 3}",
            price_amount=number % 5,
            is_featured=number % 2 == 0,
            created_at=moment,
        )


def skus(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [row["sku"] for row in response.json()["results"]]


def test_a_list_comes_in_pages_of_twenty_newest_first() -> None:
    make(45)
    first, last = get(), get("?page=3")
    assert skus(first) == [f"S{number:03}" for number in range(44, 24, -1)]
    assert first.json()["pagination"] == {
        "page": 1, "page_size": 20, "total_items": 45, "total_pages": 3, "next": "/products/?page=2", "previous": None,
    }  # fmt: skip
    assert (len(skus(last)), last.json()["pagination"]["next"]) == (5, None)
    assert last.json()["pagination"]["previous"] == "/products/?page=2"


def test_links_keep_the_filter_and_can_be_followed() -> None:
    make(9)
    page = get("?featured=true&page_size=2", path="/products")
    seen = skus(page)
    while page.json()["pagination"]["next"]:
        page = get(page.json()["pagination"]["next"], path="")
        seen += skus(page)
    assert seen == ["S008", "S006", "S004", "S002", "S000"]


def test_an_empty_list_has_one_page_and_a_page_behind_the_last_is_not_found() -> None:
    assert get().json() == {
        "results": [],
        "pagination": {"page": 1, "page_size": 20, "total_items": 0, "total_pages": 1, "next": None, "previous": None},
    }
    assert get("?page=2").status_code == 404
    assert get("?page=999999999").status_code == 404


HOSTILE = (
    "page=0", "page=-1", "page=a", "page=", "page=1.0", "page=%2B1", "page=01", "page=%201", "page=1_0", "page=%D9%A1",
    "page=1&page=2", "page=9999999999", "page_size=0", "page_size=101", "page_size=1e2", "page_size=%00", "cursor=x",
    "cursor=%00", "cursor=W10:abc", "cursor=&page=1", "limit=5", "format=api", "unknown=", "featured=1",
    "featured=TRUE", "featured=", "min_price=-1", "min_price=1.5", "min_price=1&min_price=2", "ordering=sku",
    "ordering=name,price", "search=%00", "page[]=1", "=", "&&x",
)  # fmt: skip
LONG = ["page=" + "9" * 30, "page=" + "9" * 5000, "cursor=" + "x" * 5000, "min_price=" + "9" * 30, "search=" + "x" * 51]


@pytest.mark.parametrize("query", [*HOSTILE, *LONG], ids=lambda query: query[:20])
def test_a_query_that_is_not_understood_is_refused_and_never_guessed_at(query: str) -> None:
    response = get(f"?{query}")
    assert response.status_code == 400, response.content
    assert response.json()["error"]["details"]["in"] == "query"


def test_all_faults_of_a_query_are_told_together() -> None:
    faults = get("?featured=1&min_price=x&colour=red").json()["error"]["details"]["field_errors"]
    assert set(faults) == {"featured", "min_price", "colour"}


def test_a_resource_takes_no_query_at_all() -> None:
    make(1)
    assert get("?page=1", path=f"/products/{Product.objects.get().pk}/").status_code == 400


def test_staffs_parameters_are_for_staff() -> None:
    assert get("?owner=x").status_code == 403
    assert get("?owner=x", caller="alice").status_code == 403
    assert get("?owner=x", caller="bob staff").status_code == 200


def test_a_list_may_have_a_hundred_rows_a_page() -> None:
    make(101)
    assert len(skus(get("?page_size=100"))) == 100


def walk(query: str, key: str) -> list[list[str]]:
    pages, cursor = [], ""
    while cursor is not None:
        page = get(f"?page_size=4{query}&cursor={cursor}")
        pages.append(skus(page))
        assert set(page.json()["pagination"]) == {"page_size", "next_cursor", "previous_cursor"}
        cursor = page.json()["pagination"][key]
        if len(pages) > 20:
            raise AssertionError("the cursors never end")
    return pages


@pytest.mark.parametrize("query", ["", "&ordering=name", "&ordering=-name", "&ordering=price_amount", "&featured=true"])
def test_cursors_give_each_row_once_in_the_order_of_the_pages(query: str) -> None:
    make(11)
    by_number = skus(get(f"?page_size=100{query}"))
    assert [sku for page in walk(query, "next_cursor") for sku in page] == by_number


@pytest.mark.parametrize("query", ["", "&ordering=price_amount"])
def test_cursors_lead_back_the_same_way(query: str) -> None:
    make(10)
    forth = walk(query, "next_cursor")
    last = get(f"?page_size=4{query}&cursor=")
    while last.json()["pagination"]["next_cursor"]:
        last = get(f"?page_size=4{query}&cursor={last.json()['pagination']['next_cursor']}")
    back = [skus(last)]
    while last.json()["pagination"]["previous_cursor"]:
        last = get(f"?page_size=4{query}&cursor={last.json()['pagination']['previous_cursor']}")
        back.append(skus(last))
    assert back[::-1] == forth


def test_rows_added_meanwhile_neither_repeat_nor_hide_others() -> None:
    make(8)
    first = get("?page_size=4&cursor=")
    Product.objects.create(sku="NEW", name="new")
    second = get(f"?page_size=4&cursor={first.json()['pagination']['next_cursor']}")
    assert skus(first) + skus(second) == [f"S{number:03}" for number in range(7, -1, -1)]


def test_a_cursor_belongs_to_its_order_and_cannot_be_made_up() -> None:
    make(8)
    cursor = get("?page_size=4&cursor=").json()["pagination"]["next_cursor"]
    assert get(f"?cursor={cursor}&ordering=name").status_code == 400
    assert get(f"?cursor={cursor[:-2]}xx").status_code == 400
    assert get(f"?cursor={cursor}").status_code == 200
