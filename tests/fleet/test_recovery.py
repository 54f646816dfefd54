"""Processes are killed while orders flow; every acknowledged order ends, and every invariant holds."""

import signal

import pytest

from tests.fleet.shops import Shop, crowd
from tests.fleet_unit.fleets import is_gone, kill, until

SERVICES = ["users", "products", "inventory", "orders", "payments", "notifications"]


def pids(shop: Shop, name: str, role: str) -> list[int]:
    """The processes of that name and role."""
    return [entry["pid"] for entry in shop.status["processes"] if (entry["name"], entry["role"]) == (name, role)]


def is_healed(shop: Shop, killed: int) -> bool:
    """Whether everything is ready again, each service with its worker, and the killed process is not among them."""
    processes = shop.status["processes"]
    workers = [entry["name"] for entry in processes if entry["role"] == "worker"]
    ready = all(entry["state"] == "ready" and entry["pid"] != killed for entry in processes)
    return ready and sorted(workers) == sorted(SERVICES)


def test_every_process_is_killed_once_while_orders_flow(shop: Shop) -> None:
    everybody = [(name, role) for name in SERVICES for role in ("server", "worker")]
    with crowd(shop) as customers:
        for name, role in [*everybody, ("gateway", "gateway"), ("provider", "provider")]:
            pid = until(lambda name=name, role=role: pids(shop, name, role))[0]
            kill(pid)
            until(lambda pid=pid: is_healed(shop, pid), seconds=15)
    assert customers.failures == []
    assert len(customers.acknowledged) > 10
    shop.audit()


def test_everything_killed_at_once_loses_no_acknowledged_order(own_shop: Shop) -> None:
    with crowd(own_shop, size=2) as customers:
        until(lambda: len(customers.acknowledged) > 5, seconds=30)
        found = own_shop.status
        for entry in found["processes"]:
            kill(entry["pid"])
        until(lambda: is_healed(own_shop, 0), seconds=30)
    assert customers.failures == []
    own_shop.audit()


def test_a_killed_launcher_leaves_nothing_and_its_successor_finishes_the_orders(own_shop: Shop) -> None:
    customer = own_shop.customer()
    placed = [customer.order(method)[1]["id"] for method in ("tok_ok", "tok_lost", "tok_declined") for _ in range(4)]
    found = own_shop.status
    kill(found["launcher"]["pid"])
    until(lambda: all(is_gone(entry["pid"]) for entry in found["processes"]), seconds=2)
    own_shop.up()
    customer = own_shop.customer()
    assert {customer.end_of(each)["status"] for each in placed} == {"confirmed", "rejected"}
    own_shop.audit()


def test_a_drained_fleet_goes_on_where_it_stopped(own_shop: Shop) -> None:
    customer = own_shop.customer()
    placed = [customer.order()[1]["id"] for _ in range(10)]
    found = own_shop.status
    kill(found["launcher"]["pid"], signal.SIGTERM)
    until(lambda: all(is_gone(entry["pid"]) for entry in [found["launcher"], *found["processes"]]), seconds=40)
    own_shop.up()
    customer = own_shop.customer()
    assert {customer.end_of(each)["status"] for each in placed} == {"confirmed"}
    own_shop.audit()


@pytest.mark.parametrize("service", ["orders", "inventory", "payments"])
def test_a_planned_restart_under_orders_fails_no_request(shop: Shop, service: str) -> None:
    customer = shop.customer()
    path = {"orders": "/api/v1/docs/orders/", "inventory": f"/api/v1/inventory/{'0' * 8}-0000-7000-8000-{'0' * 12}/",
            "payments": "/api/v1/payments/"}[service]  # fmt: skip
    with crowd(shop, size=2, methods=("tok_ok",)) as customers, shop.load(path, clients=2) as answers:
        done = shop.run("restart", service)
        assert done.returncode == 0, done.stderr
        customer.end_of(customer.order()[1]["id"])
    assert customers.failures == []
    assert not [answer for answer in answers if not isinstance(answer, int) or answer >= 500]
