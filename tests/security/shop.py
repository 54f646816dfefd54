"""The fleet under attack: started once, with two customers, staff, a product, an order and its payment."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from bandstand import clock
from bandstand.engines.ports import free_port
from tests.security.forging import Mint
from tests.security.wire import Answer, Wire

__all__ = ["Person", "Shop"]

ROOT = Path(__file__).parent.parent.parent
PASSWORD = "korrekt-Pferd-9!"


class Person:
    """A registered customer with a token."""

    def __init__(self, *, user_id: str, email: str, token: str) -> None:
        self.id, self.email, self.token = user_id, email, token


class Shop:
    """A fleet on a free port with a data folder of its own."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self._wires: dict[str, Wire] = {}

    def up(self) -> None:
        """Start it and fill it with what is attacked."""
        self.bandstand("up", "--detach", "--port", str(free_port()))
        status = self.status()
        self.services = {name: entry["url"] for name, entry in status["services"].items()}
        self.wire = self._wire(status["gateway"])
        self.mint = Mint(self.data, "users")
        self.staff = self._sign_in("staff@example.com", "staff-Passw0rd!")
        self.anna, self.ben = self.register("anna"), self.register("ben")
        self.product_id, self.spare_product_id = self.new_product(), self.new_product()
        self.order_id = self.place_order(self.anna)
        self.payment_id = self.payment_of(self.order_id)

    def down(self) -> None:
        """Hang up and stop it."""
        for wire in self._wires.values():
            wire.close()
        self.bandstand("down")

    def bandstand(self, *words: str) -> str:
        """Run a verb on this fleet and return what it prints."""
        command = [sys.executable, "-m", "bandstand.cli", *words, "--data", str(self.data)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=90)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def status(self) -> dict[str, Any]:
        """The status document."""
        found: dict[str, Any] = json.loads(self.bandstand("status", "--json"))
        return found

    def straight_at(self, service: str) -> Wire:
        """A connection past the gateway."""
        return self._wire(self.services[service])

    def _wire(self, url: str) -> Wire:
        return self._wires.setdefault(url, Wire(url))

    def ask(self, method: str, path: str, **kind: Any) -> Answer:
        """Ask through the gateway."""
        return self.wire.ask(method, path, **kind)

    def done(self, method: str, path: str, **kind: Any) -> Any:
        """Ask through the gateway for what must succeed, and return its data."""
        answer = self.ask(method, path, **kind)
        assert answer.status < 300, answer
        return answer.data

    def register(self, name: str) -> Person:
        """A new customer."""
        unique = f"{name}-{uuid4().hex[:12]}"
        email = f"{unique}@example.com"
        self.done("POST", "/api/v1/users/", body={"username": unique, "email": email, "password": PASSWORD})
        return self._sign_in(email, PASSWORD)

    def _sign_in(self, email: str, password: str) -> Person:
        found = self.done("POST", "/api/v1/users/authenticate/", body={"email": email, "password": password})
        return Person(user_id=found["user"]["id"], email=email, token=found["token"])

    def new_product(self, *, stock: int = 100) -> str:
        """A product in stock."""
        body = {"sku": f"HACK-{uuid4().hex[:12]}", "name": "Target", "description": "", "price": money(1999)}
        made: str = self.done("POST", "/api/v1/products/", body=body, token=self.staff.token)["id"]
        path, wish = f"/api/v1/inventory/{made}/adjustments/", {"delta": stock, "reason": "test"}
        until(lambda: self.ask("POST", path, body=wish, token=self.staff.token).status == 201)
        return made

    def place_order(self, person: Person) -> str:
        """A confirmed order of *person*."""
        wish = {"items": [{"product_id": self.product_id, "quantity": 1}], "payment_method": "tok_ok"}
        key = {"Idempotency-Key": str(uuid4())}
        placed: str = self.done("POST", "/api/v1/orders/", body=wish, headers=key, token=person.token)["id"]
        path = f"/api/v1/orders/{placed}/"
        until(lambda: self.done("GET", path, token=person.token)["status"] == "confirmed")
        return placed

    def payment_of(self, order_id: str) -> str:
        """The payment of an order."""
        page = self.done("GET", "/api/v1/payments/?page_size=100", token=self.staff.token)["results"]
        return str(next(entry["id"] for entry in page if entry["order_id"] == order_id))

    def service_token(self, caller: str, *, audience: str) -> str:
        """A token by which *caller* is let into the internal routes of *audience*."""
        return Mint(self.data, caller).service_token(audience)

    def rows(self, service: str, query: str) -> list[tuple[Any, ...]]:
        """Read the database of *service*, without being able to change it."""
        uri = f"file:{self.data / 'db' / service}.sqlite3?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as database:
            return database.execute(query).fetchall()

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Fail when the block changes a row of business data or publishes an event."""
        before = self._facts()
        yield
        assert self._facts() == before

    def _facts(self) -> dict[str, Any]:
        return {f"{service}: {query}": self.rows(service, query) for service, query in _FACTS}


_FACTS = [
    ("users", "SELECT * FROM users_user ORDER BY id"),
    ("users", "SELECT * FROM users_userprofile ORDER BY 1"),
    ("products", "SELECT * FROM audit_catalogue ORDER BY product_id"),
    ("inventory", "SELECT * FROM audit_stock ORDER BY product_id"),
    ("orders", "SELECT * FROM audit_orders ORDER BY order_id"),
    ("payments", "SELECT * FROM audit_payments ORDER BY key"),
    *((name, "SELECT max(sequence) FROM audit_outbox") for name in ("users", "products", "inventory", "orders")),
]


def money(amount: int) -> dict[str, Any]:
    """A price."""
    return {"amount": amount, "currency": "EUR"}


def until(condition: Callable[[], Any], *, seconds: float = 20.0) -> Any:
    """The first true value of *condition*; fails after *seconds*."""
    end = clock.monotonic() + seconds
    while clock.monotonic() < end:
        found = condition()
        if found:
            return found
        clock.sleep(0.03)
    raise AssertionError(f"not within {seconds} s")
