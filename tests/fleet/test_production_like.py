"""The shop on real servers: the same orders, the same books, whichever of the servers is killed meanwhile."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from bandstand.fleet.proc import children_of
from tests.fleet.shops import Shop, crowd
from tests.fleet.test_recovery import SERVICES, is_healed, pids
from tests.fleet_unit.fleets import is_gone, kill, until


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop with PostgreSQL, a bus server of its own."""
    made = Shop(tmp_path_factory.mktemp("served"), profile="production-like")
    made.up()
    yield made
    made.down()


def engines(shop: Shop) -> dict[str, int]:
    """The servers behind the services, with their pids."""
    return {entry["name"]: entry["pid"] for entry in shop.status["processes"] if entry["role"] in ("database", "bus")}


def test_orders_end_as_on_files_and_every_verb_finds_the_servers(served: Shop) -> None:
    """The verbs are run without a word about servers: the running fleet is asked where its databases are."""
    customer = served.customer()
    placed = {method: customer.order(method)[1]["id"] for method in ("tok_ok", "tok_declined", "tok_lost")}
    ends = {method: customer.end_of(order)["status"] for method, order in placed.items()}
    assert ends == {"tok_ok": "confirmed", "tok_declined": "rejected", "tok_lost": "confirmed"}
    served.audit()
    until(lambda: placed["tok_ok"] in served.run("mailbox", "--json").stdout, seconds=30, what="the mail")
    assert json.loads(served.run("dlq", "list", "--json").stdout) == []
    lag = json.loads(served.run("events", "lag", "--json").stdout)
    assert lag
    assert "0 products added" in served.run("shop", "seed").stdout
    assert not list((served.data / "db").glob("*.sqlite3"))


def test_what_every_group_has_acknowledged_is_still_in_the_history(served: Shop) -> None:
    _, order = served.customer().order("tok_ok")
    since = ("events", "tail", "--since", "1h", "--subject", order["id"], "--json")
    confirmed = '"orders.order_confirmed.v1"'
    until(lambda: confirmed in served.run(*since).stdout, seconds=60, what="the order's events in the history")


def test_each_service_has_a_database_that_no_other_service_may_enter(served: Shop) -> None:
    urls = {name: entry["database"] for name, entry in served.status["services"].items()}
    assert {name: urlsplit(url).username for name, url in urls.items()} == {name: f"shop_{name}" for name in SERVICES}
    with psycopg.connect(urls["orders"]) as connection:
        assert connection.execute("SELECT count(*) FROM audit_orders").fetchone() is not None
    as_orders = urls["orders"].rpartition("/")[0]
    for other in set(SERVICES) - {"orders"}:
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(f"{as_orders}/shop_{other}")


def kill_while_orders_flow(shop: Shop, servers: dict[str, int]) -> None:
    """Each server in its turn; the next when orders flow again."""
    with crowd(shop) as customers:
        until(lambda: len(customers.acknowledged) > 3, seconds=60)
        for name, pid in servers.items():
            kill(pid)
            until(lambda pid=pid: is_healed(shop, pid), seconds=60, what=f"{name} and all that need it")
            before = len(customers.acknowledged)
            until(lambda before=before: len(customers.acknowledged) > before + 3, seconds=60, what="new orders")
    assert customers.failures == []
    shop.audit()


def test_every_server_is_killed_while_orders_flow(served: Shop) -> None:
    kill_while_orders_flow(served, engines(served))


def test_the_bus_that_stands_in_where_the_first_choice_is_not_installed(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop", profile="production-like")
    shop.manifest.write_text(shop.manifest.read_text().replace('["rabbitmq", "valkey"]', '["valkey"]'))
    shop.up()
    try:
        servers = engines(shop)
        assert sorted(servers) == ["postgresql", "valkey"]
        kill_while_orders_flow(shop, {"valkey": servers["valkey"]})
    finally:
        shop.down()


def test_a_killed_launcher_leaves_no_server_and_its_successor_goes_on(served: Shop) -> None:
    customer = served.customer()
    placed = [customer.order(method)[1]["id"] for method in ("tok_ok", "tok_lost") for _ in range(3)]
    servers = engines(served)
    everybody = [*servers.values(), *(child for pid in servers.values() for child in children_of(pid))]
    kill(served.status["launcher"]["pid"])
    until(lambda: all(is_gone(pid) for pid in everybody), seconds=5, what="no server left")
    served.up()
    customer = served.customer()
    assert {customer.end_of(each)["status"] for each in placed} == {"confirmed"}
    served.audit()


def test_the_servers_outlive_the_services_when_the_fleet_drains(served: Shop) -> None:
    """A service that lost its database while it drains would have said so in its log."""
    customer = served.customer()
    for _ in range(5):
        customer.order()
    processes = served.status["processes"]
    marks = {name: (served.data / "logs" / f"{name}.log").stat().st_size for name in SERVICES}
    done = served.run("down")
    assert done.returncode == 0, done.stderr
    assert all(is_gone(entry["pid"]) for entry in processes)
    for name, mark in marks.items():
        text = (served.data / "logs" / f"{name}.log").read_bytes()[mark:].decode()
        assert '"worker.drained"' in text, name
        assert '"level":"error"' not in text, name
    served.up()
    served.audit()
    assert pids(served, "postgresql", "database")
