"""A service dies at every named point of the order saga, in both directions; every order still ends as it must."""

from tests.fleet.shops import Customer, Shop
from tests.fleet_unit.fleets import until

WHEN = ("before_intent", "after_intent", "after_call", "after_log")
FORWARD = ("validate_user", "reserve_stock", "capture_payment", "commit_stock", "confirm_order")
SAGA = "saga.order_processing"
# point, where it is set, how the order is paid, how the order ends
PAID = [(f"{SAGA}.{step}.do.{when}", "orders", "tok_ok", "confirmed") for step in FORWARD for when in WHEN]
DECLINED = [(f"{SAGA}.reserve_stock.undo.{when}", "orders", "tok_declined", "rejected") for when in WHEN]
RELAYED = [
    (f"outbox.{when}", "orders", "tok_ok", "confirmed") for when in ("before_publish", "after_publish", "after_mark")
]
APPLIED = [
    (f"inbox.{when}", "notifications", "tok_ok", "confirmed")
    for when in ("before_apply", "after_apply", "after_commit", "after_ack")
]


def die_at(shop: Shop, customer: Customer, point: str, service: str, method: str, **env: str) -> str:
    """Place an order that makes *service* die at *point*, and return its id once that has happened."""
    shop.set_env(service, BANDSTAND_CRASH_AT=point, **env)
    status, order = customer.order(method, product=7)
    assert status == 202, (point, order)
    until(lambda: any(point in path.name for path in (shop.data / "crash").iterdir()), seconds=40, what=point)
    return str(order["id"])


def test_every_order_ends_though_a_service_dies_at_each_point(own_shop: Shop) -> None:
    """No order waits for the one before: what is left half done is taken over while the next process dies."""
    customer = own_shop.customer()
    placed = [
        (point, expected, die_at(own_shop, customer, point, service, method))
        for point, service, method, expected in (*PAID, *DECLINED, *RELAYED, *APPLIED)
    ]
    ends = [(point, expected, customer.end_of(order_id)["status"]) for point, expected, order_id in placed]
    assert [each for each in ends if each[1] != each[2]] == []
    own_shop.audit()


def test_an_unknown_payment_is_cancelled_though_its_service_dies(own_shop: Shop) -> None:
    """The provider stays silent past the deadline; the cancel itself is interrupted, repeated, and holds."""
    customer = own_shop.customer()
    before = customer.available(7)
    points = [f"{SAGA}.capture_payment.undo.{when}" for when in WHEN]
    placed = [die_at(own_shop, customer, point, "orders", "tok_late", ORDERS_DEADLINE_SECONDS="2") for point in points]
    ends = [customer.end_of(order_id) for order_id in placed]
    assert [(order["status"], order["reason"]) for order in ends] == [("cancelled", "deadline")] * len(points)
    assert customer.available(7) == before
    own_shop.audit()
