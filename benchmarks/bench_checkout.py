"""Checkout end to end: the real fleet, through the gateway, with everything on.

    python -m benchmarks.bench_checkout [--seconds 15] [--clients 16] [--rounds 3]

Clients place orders as fast as they are accepted, each waiting for its answer (closed loop). What was confirmed, and
when, is read from the orders database, so that no polling adds to the load. Commits are counted in the write-ahead
logs of the databases while one order at a time goes through a quiet fleet.
"""

import argparse
import http.client
import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psutil

from benchmarks import wal
from benchmarks.report import machine, write

BANDSTAND = [sys.executable, "-m", "bandstand.cli"]
GOAL = ">= 80 confirmed orders/s with everything on (stretch 120), on 2 cores"


_SERVING = {"python": "requests", "tokio-rt-worker": "requests"}
"""What threads are called that the HTTP server has started, or that it began as."""


class Shop:
    """A fleet of its own, in a folder of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.data = folder / "fleet"
        self._port = port

    def __enter__(self) -> "Shop":
        subprocess.run([*BANDSTAND, "up", "--detach", "--port", str(self._port), "--data", str(self.data)], check=True)
        self.status: dict[str, Any] = json.loads(
            subprocess.check_output([*BANDSTAND, "status", "--json", "--data", str(self.data)])
        )
        self.gateway = urlsplit(self.status["gateway"])
        self.token = self.call(
            "POST", "/api/v1/auth/token/", {"email": "demo@example.com", "password": "demo-Passw0rd!"}
        )["access"]
        listed = self.call("GET", "/api/v1/products/?page_size=40")
        self.products = [product["id"] for product in listed["results"]]
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run([*BANDSTAND, "down", "--data", str(self.data)], check=True)

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.gateway.hostname or "", self.gateway.port, timeout=30)

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        with closing(self.connection()) as connection:
            connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"})
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
            return answer

    def database(self, service: str) -> Path:
        return Path(self.status["services"][service]["database"].removeprefix("sqlite:///"))

    def rows(self, service: str, query: str, *values: object) -> list[Any]:
        with closing(sqlite3.connect(f"file:{self.database(service)}?mode=ro", uri=True)) as connection:
            return connection.execute(query, values).fetchall()

    def place(self, connection: http.client.HTTPConnection, product: str) -> int:
        body = json.dumps({"items": [{"product_id": product, "quantity": 1}], "payment_method": "tok_ok"})
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {self.token}",
            "Idempotency-Key": str(uuid4()),
        }
        connection.request("POST", "/api/v1/orders/", body, headers)
        response = connection.getresponse()
        response.read()
        return response.status


def load(shop: Shop, *, seconds: float, clients: int) -> tuple[list[float], Counter[int]]:
    """Place orders with *clients* at once and return the seconds each answer took, and the statuses."""
    until = time.monotonic() + seconds
    took: list[float] = []
    statuses: Counter[int] = Counter()

    def client(number: int) -> None:
        with closing(shop.connection()) as connection:
            placed = number
            while time.monotonic() < until:
                started = time.perf_counter()
                status = shop.place(connection, shop.products[placed % len(shop.products)])
                took.append(time.perf_counter() - started)
                statuses[status] += 1
                placed += clients

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took, statuses


def quiescent(shop: Shop, *, within: float = 120.0) -> None:
    """Wait until no order is pending."""
    until = time.monotonic() + within
    while shop.rows("orders", "SELECT 1 FROM audit_orders WHERE status = 'pending' LIMIT 1"):
        if time.monotonic() > until:
            raise TimeoutError("orders are still pending")
        time.sleep(0.1)


def cpu_of(shop: Shop) -> dict[str, float]:
    """CPU seconds so far, for each process by name and role, and for the clients: this process."""
    own = psutil.Process().cpu_times()
    spent: dict[str, float] = {"clients": own.user + own.system}
    for entry in shop.status["processes"]:
        times = psutil.Process(entry["pid"]).cpu_times()
        spent[f"{entry['name']} {entry['role']}"] = times.user + times.system
    return spent


def cpu_by_thread(shop: Shop) -> dict[str, float]:
    """CPU seconds so far, for each kind of thread of each worker; those of the HTTP server answer requests."""
    spent: defaultdict[str, float] = defaultdict(float)
    for entry in shop.status["processes"]:
        if entry["role"] == "worker":
            for task in Path(f"/proc/{entry['pid']}/task").iterdir():
                with suppress(FileNotFoundError):  # it has just ended
                    kind = (task / "comm").read_text().strip()
                    spent[f"{entry['name']} {_SERVING.get(kind, kind)}"] += (
                        int((task / "schedstat").read_text().split()[0]) / 1e9
                    )
    return dict(spent)


def per_order(before: dict[str, float], after: dict[str, float], orders: int) -> dict[str, float]:
    """The milliseconds of an order, without what is hardly any."""
    took = {name: (seconds - before.get(name, 0.0)) * 1e3 / orders for name, seconds in after.items()}
    return {name: round(each, 2) for name, each in took.items() if each >= 0.03}


def memory_mib(shop: Shop) -> float:
    """PSS of every process of the fleet and its launcher."""
    pids = [entry["pid"] for entry in shop.status["processes"]] + [shop.status["launcher"]["pid"]]
    return sum(psutil.Process(pid).memory_full_info().pss for pid in pids) / 2**20


def percentile(values: list[float], share: float) -> float:
    """In milliseconds."""
    return round(sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1e3, 1)


def moment(text: str) -> float:
    """RFC 3339 to seconds."""
    return datetime.fromisoformat(text).timestamp()


def one_round(shop: Shop, *, seconds: float, clients: int) -> dict[str, Any]:
    """Load the shop once and say what came of it."""
    before, threads, began = cpu_of(shop), cpu_by_thread(shop), datetime.now().astimezone()
    took, statuses = load(shop, seconds=seconds, clients=clients)
    quiescent(shop)
    after, threads_after = cpu_of(shop), cpu_by_thread(shop)
    since = began.astimezone(tz=None).isoformat()
    ended = [
        (moment(created), moment(confirmed))
        for created, confirmed in shop.rows(
            "orders",
            "SELECT o.created_at, h.at FROM audit_orders o JOIN audit_order_history h"
            " ON h.order_id = o.order_id AND h.status = 'confirmed'",
        )
        if moment(created) >= moment(since)
    ]
    first, last = min(created for created, _ in ended), max(confirmed for _, confirmed in ended)
    return {
        "answers": {str(status): count for status, count in statuses.items()},
        "accepted_per_second": round(statuses[202] / seconds, 1),
        "confirmed_per_second": round(len(ended) / (last - first), 1),
        "accept_p50_ms": percentile(took, 0.5),
        "accept_p99_ms": percentile(took, 0.99),
        "confirm_p50_ms": percentile([confirmed - created for created, confirmed in ended], 0.5),
        "confirm_p99_ms": percentile([confirmed - created for created, confirmed in ended], 0.99),
        "cpu_ms_per_order": (cpu := per_order(before, after, len(ended))),
        "cpu_ms_per_order_in_all": round(sum(cpu.values()), 1),
        "cpu_ms_per_order_by_thread": per_order(threads, threads_after, len(ended)),
    }


def commits_per_order(shop: Shop, *, orders: int = 10) -> dict[str, Any]:
    """How many commits one order costs each database when nothing else goes on, and which tables they write."""
    databases = {name: shop.database(name) for name in shop.status["services"]}
    databases["bus"] = Path(shop.status["bus"].removeprefix("embedded:///"))
    time.sleep(2.0)
    for database in databases.values():  # an empty log is not restarted within so few commits
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = {name: len(wal.commits(log_of(database))) for name, database in databases.items()}
    with closing(shop.connection()) as connection:
        for number in range(orders):
            shop.place(connection, shop.products[number])
            quiescent(shop)
            time.sleep(0.3)
    found: dict[str, Any] = {}
    for name, database in databases.items():
        made = wal.commits(log_of(database))[before[name] :]
        tables = wal.tables_of(database)
        kinds = Counter(", ".join(sorted({tables[page] for page in pages if page in tables})) for pages in made)
        written = {kind: round(count / orders, 1) for kind, count in kinds.most_common()}
        found[name] = {"commits": round(len(made) / orders, 1), "tables_written": written}
    return found


def log_of(database: Path) -> Path:
    """Where the write-ahead log of a database is."""
    return database.with_name(database.name + "-wal")


def one_alone(shop: Shop, *, orders: int = 20) -> float:
    """The median milliseconds from acceptance to confirmation of an order that is alone."""
    with closing(shop.connection()) as connection:
        for number in range(orders):
            shop.place(connection, shop.products[number])
            quiescent(shop)
    rows = shop.rows(
        "orders",
        "SELECT o.created_at, h.at FROM audit_orders o JOIN audit_order_history h ON h.order_id = o.order_id"
        " AND h.status = 'confirmed' ORDER BY o.created_at DESC LIMIT ?",
        orders,
    )
    return round(statistics.median(moment(confirmed) - moment(created) for created, confirmed in rows) * 1e3, 1)


def main() -> None:
    """Run the rounds and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--port", type=int, default=18080)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Shop(Path(folder), options.port) as shop:
        load(shop, seconds=3, clients=options.clients)
        quiescent(shop)
        alone, counted = one_alone(shop), commits_per_order(shop)
        rounds = []
        for _ in range(options.rounds):
            rounds.append(one_round(shop, seconds=options.seconds, clients=options.clients))
            print(json.dumps(rounds[-1]), flush=True)
        rounds.sort(key=lambda each: each["confirmed_per_second"])
        middle = rounds[len(rounds) // 2]
        result = {
            "goal": GOAL,
            "machine": machine(),
            "clients": options.clients,
            "confirmed_per_second_of_each_round": [each["confirmed_per_second"] for each in rounds],
            "median_round": middle,
            "one_order_alone_ms": alone,
            "commits_per_order": counted,
            "memory_mib": round(memory_mib(shop)),
        }
    write("checkout", result)


if __name__ == "__main__":
    main()
