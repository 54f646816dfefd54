"""Orders through the gateway, all the way: paid, declined, paid without a reply."""

import json
import threading

from bandstand.clock import uuid7
from tests.fleet.shops import Shop, product_id
from tests.fleet_unit.fleets import until


def test_a_paid_order_is_confirmed_and_its_unit_is_sold(shop: Shop) -> None:
    customer = shop.customer()
    before = customer.available(1)
    status, placed = customer.order("tok_ok")
    assert status == 202
    order = customer.end_of(placed["id"])
    assert order["status"] == "confirmed"
    assert [entry["status"] for entry in order["history"]] == ["pending", "confirmed"]
    assert customer.available(1) == before - 1


def test_a_declined_payment_releases_the_reserved_stock(shop: Shop) -> None:
    customer = shop.customer()
    before = customer.available(2)
    _, placed = customer.order("tok_declined", product=2, quantity=3)
    order = customer.end_of(placed["id"])
    assert (order["status"], order["reason"]) == ("rejected", "payment_declined")
    assert customer.available(2) == before


def test_a_lost_reply_is_resolved_and_charged_once(shop: Shop) -> None:
    customer = shop.customer()
    _, placed = customer.order("tok_lost", product=3)
    assert customer.end_of(placed["id"])["status"] == "confirmed"
    shop.audit()


def test_the_same_key_gives_the_same_order(shop: Shop) -> None:
    customer, key = shop.customer(), f"test-{uuid7()}"
    body = {"items": [{"product_id": product_id(4), "quantity": 1}], "payment_method": "tok_ok"}
    first = customer.ask("POST", "/orders/", body, key=key)
    again = customer.ask("POST", "/orders/", body, key=key)
    assert first[0] == again[0] == 202
    assert first[1]["id"] == again[1]["id"]
    other = customer.ask("POST", "/orders/", {**body, "note": "other"}, key=key)
    assert (other[0], other[1]["error"]["details"]["business_rule"]) == (422, "idempotency_key_reused")
    customer.end_of(first[1]["id"])


def test_what_is_sold_out_is_refused_and_nothing_is_charged(shop: Shop) -> None:
    customer = shop.customer()
    _, placed = customer.order(product=49)
    order = customer.end_of(placed["id"])
    assert (order["status"], order["reason"]) == ("rejected", "insufficient_stock")


def test_the_last_unit_is_sold_once_under_200_parallel_orders(shop: Shop) -> None:
    ends: list[str] = []

    def buy(number: int) -> None:
        customer = shop.customer()
        placed = [customer.order(product=50) for _ in range(number)]
        ends.extend(customer.end_of(body["id"], seconds=120)["status"] for _, body in placed)

    threads = [threading.Thread(target=buy, args=(20,)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ends) == 200
    assert ends.count("confirmed") == 1
    assert ends.count("rejected") == 199
    shop.audit()


def test_a_confirmed_order_is_announced_by_mail(shop: Shop) -> None:
    customer = shop.customer()
    _, placed = customer.order(product=5)
    customer.end_of(placed["id"])

    def announced() -> bool:
        done = shop.run("mailbox", "--json", "--limit", "500")
        return any(placed["id"] in mail["text"] for mail in json.loads(done.stdout))

    until(announced, seconds=30)
