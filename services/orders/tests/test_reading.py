"""Orders as their owners and staff see them."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from services.orders.tests.placing import ANN, BOB, ORDERS, NewProduct, cancel, placed

from bandstand import clock
from bandstand.testing.tokens import service_headers
from orders import commands
from orders.models import Order

pytestmark = pytest.mark.django_db


@pytest.fixture
def orders(ann: Client, bob: Client, new_product: NewProduct) -> list[str]:
    """Two of Ann, of which the first is rejected, and one of Bob; their ids, oldest first."""
    ids = [placed(client, new_product())["id"] for client in (ann, ann, bob)]
    commands.reject_order(order_id=UUID(ids[0]), reason="insufficient_stock")
    return ids


def listed(client: Client, query: str = "", *, path: str = ORDERS) -> list[str]:
    answer = client.get(path + query)
    assert answer.status_code == 200, answer.content
    return [one["id"] for one in answer.json()["results"]]


def test_a_customer_sees_their_own_newest_first(ann: Client, bob: Client, orders: list[str]) -> None:
    assert listed(ann) == [orders[1], orders[0]]
    assert listed(bob) == [orders[2]]
    assert listed(ann, "?status=rejected") == [orders[0]]
    assert listed(ann, "?status=confirmed") == []


def test_staff_see_all_and_may_ask_for_one_customer(staff: Client, orders: list[str]) -> None:
    assert listed(staff) == orders[::-1]
    assert listed(staff, f"?user_id={ANN}&status=pending") == [orders[1]]
    assert listed(staff, f"?user_id={uuid4()}") == []


def test_the_filter_by_customer_is_for_staff(bob: Client, orders: list[str]) -> None:
    assert bob.get(f"{ORDERS}?user_id={ANN}").status_code == 403
    assert bob.get(f"{ORDERS}?user_id={BOB}").status_code == 403


@pytest.mark.parametrize("query", ["?status=PENDING", "?status=", "?sort=total", "?user_id=7", "?page=0"])
def test_a_query_that_means_nothing_is_refused(staff: Client, query: str) -> None:
    assert staff.get(ORDERS + query).status_code == 400


def test_a_foreign_order_is_as_absent_as_a_wrong_id(bob: Client, orders: list[str]) -> None:
    faults = []
    for order_id in (orders[0], orders[1], uuid4()):
        for answer in (bob.get(f"{ORDERS}{order_id}/"), cancel(bob, order_id)):
            fault = answer.json()["error"]
            faults.append((answer.status_code, fault["code"], fault["message"], str(fault["details"])))
    assert set(faults) == {(404, "NOT_FOUND", faults[0][2], "{}")}
    assert not Order.objects.get(pk=orders[1]).history.filter(seq__gt=1).exists()


def test_staff_see_any_order(staff: Client, orders: list[str]) -> None:
    assert staff.get(f"{ORDERS}{orders[2]}/").json()["user_id"] == str(BOB)


def test_nobody_reads_orders_without_a_users_token(client: Client, orders: list[str]) -> None:
    for asking in (client, Client(headers=service_headers("inventory"))):
        for path in (ORDERS, f"{ORDERS}{orders[0]}/", f"{ORDERS}statistics/", f"/api/v1/users/{ANN}/orders/"):
            assert asking.get(path).status_code == 401


def test_the_orders_of_a_user_are_for_them_and_staff(
    ann: Client, bob: Client, staff: Client, orders: list[str]
) -> None:
    path = f"/api/v1/users/{ANN}/orders/"
    assert listed(ann, path=path) == listed(staff, path=path) == [orders[1], orders[0]]
    assert listed(staff, "?status=rejected", path=path) == [orders[0]]
    assert bob.get(path).status_code == 404


def test_an_order_is_changed_by_nobody(staff: Client, orders: list[str]) -> None:
    for method in (staff.put, staff.patch, staff.delete, staff.post):
        assert method(f"{ORDERS}{orders[0]}/", {}, content_type="application/json").status_code == 405


def test_the_tag_changes_with_the_order_and_saves_the_body(ann: Client, orders: list[str]) -> None:
    path = f"{ORDERS}{orders[1]}/"
    tag = ann.get(path)["ETag"]
    assert ann.get(path, headers={"If-None-Match": tag}).status_code == 304
    assert cancel(ann, orders[1]).status_code == 202
    changed = ann.get(path, headers={"If-None-Match": tag})
    assert (changed.status_code, changed["ETag"] != tag) == (200, True)


def test_the_history_tells_what_happened_and_when(ann: Client, orders: list[str]) -> None:
    order = ann.get(f"{ORDERS}{orders[0]}/").json()
    assert (order["status"], order["reason"]) == ("rejected", "insufficient_stock")
    assert order["history"] == [
        {"at": order["created_at"], "status": "pending", "detail": "placed"},
        {"at": order["updated_at"], "status": "rejected", "detail": "insufficient_stock"},
    ]


def test_a_page_of_orders_costs_the_same_however_many_it_shows(ann: Client, new_product: NewProduct) -> None:
    product = new_product()

    def statements() -> int:
        with CaptureQueriesContext(connections["default"]) as seen:
            ann.get(ORDERS)
        return len(seen)

    placed(ann, product)
    few = statements()
    for _ in range(9):
        placed(ann, product)
    assert (few, statements()) == (4, 4)


def test_statistics_are_for_staff(ann: Client, staff: Client, orders: list[str]) -> None:
    assert ann.get(f"{ORDERS}statistics/").status_code == 403
    assert staff.get(f"{ORDERS}statistics/").json() == {"results": []}


def test_statistics_follow_the_events(staff: Client, orders: list[str]) -> None:
    for order_id in orders:
        commands.count_order(order_id=order_id, left=None, entered="pending")
    commands.count_order(order_id=orders[0], left="pending", entered="rejected")
    total, day = Order.objects.get(pk=orders[0]).total_minor, clock.now().date()
    assert staff.get(f"{ORDERS}statistics/").json()["results"] == [
        {"day": str(day), "status": "pending", "count": 2, "total": {"amount": 2 * total, "currency": "EUR"}},
        {"day": str(day), "status": "rejected", "count": 1, "total": {"amount": total, "currency": "EUR"}},
    ]


def test_an_order_counts_on_the_day_it_was_placed_in_utc(staff: Client, orders: list[str]) -> None:
    moment = clock.now().replace(hour=23, minute=59, second=59) - timedelta(days=3)
    Order.objects.filter(pk=orders[0]).update(created_at=moment)
    commands.count_order(order_id=orders[0], left=None, entered="rejected")
    [row] = staff.get(f"{ORDERS}statistics/").json()["results"]
    assert row["day"] == str(moment.date())


def test_the_audit_views_tell_the_same(orders: list[str]) -> None:
    def rows(sql: str) -> list[tuple[object, ...]]:
        with connections["default"].cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    found = rows("SELECT order_id, user_id, status, total_amount, currency, created_at FROM audit_orders")
    assert {str(row[0]) for row in found} == set(orders)
    [first] = [row for row in found if row[0] == orders[0]]
    order = Order.objects.get(pk=orders[0])
    assert first[1:5] == (str(ANN), "rejected", order.total_minor, "EUR")
    assert str(first[5]).endswith("Z")
    history = rows(f"SELECT seq, status FROM audit_order_history WHERE order_id = '{orders[0]}' ORDER BY seq")
    assert history == [(1, "pending"), (2, "rejected")]
