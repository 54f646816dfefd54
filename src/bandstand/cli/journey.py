"""A customer's way through the shop, from outside: everything goes through the gateway, as a browser would."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from bandstand.cli.failures import Exit, Failure
from bandstand.clock import monotonic, sleep, uuid7

__all__ = ["Customer", "Placed", "shop_around"]

_FINAL = ("confirmed", "rejected", "cancelled")
_END_SECONDS = 40.0


@dataclass(frozen=True, kw_only=True)
class Placed:
    """One order of the journey and how it ended; `stock_taken` is by how much the product's stock went down."""

    order: dict[str, Any]
    method: str
    product_id: str
    accepted_seconds: float
    ended_seconds: float
    stock_taken: int


class Customer:
    """A client of the gateway at *url*."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url).netloc
        self._token = ""

    def ask(self, method: str, path: str, body: Any = None, *, key: str = "") -> Any:
        """Send one request and return the answer's document. Ends the verb with the shop's message on an error."""
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if key:
            headers["Idempotency-Key"] = key
        connection = HTTPConnection(self._address, timeout=30)
        try:
            connection.request(method, f"/api/v1{path}", None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
        except OSError as error:
            raise Failure(
                f"{method} {path}: the gateway at {self._address} is gone: {error}", Exit.UNHEALTHY
            ) from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise Failure(f"{method} {path} was answered {answer.status}: {text.decode('utf-8', 'replace')[:500]}")
        return json.loads(text) if text else None

    def sign_in(self, email: str, password: str) -> None:
        """Log in; every later request carries the token."""
        self._token = self.ask("POST", "/auth/token/", {"email": email, "password": password})["access"]


def shop_around(url: str, methods: tuple[str, ...], tell: Callable[[str], None]) -> list[Placed]:
    """Register, log in, browse, place one order for each payment method, and wait until every one has ended."""
    customer = Customer(url)
    name = f"guest-{uuid7().hex[-12:]}"
    email, password = f"{name}@example.com", f"{uuid7().hex}-Passw0rd"
    customer.ask("POST", "/users/", {"username": name, "email": email, "password": password})
    tell(f"registered  {email}")
    customer.sign_in(email, password)
    page = customer.ask("GET", f"/products/?page_size={len(methods)}")
    shown = ", ".join(product["name"] for product in page["results"])
    tell(f"browsed     {page['pagination']['total_items']} products: {shown} …")
    stock = {product["id"]: _available(customer, product["id"]) for product in page["results"]}
    placed = [_place(customer, method, product) for method, product in zip(methods, page["results"], strict=True)]
    return [_ended(customer, *each, before=stock) for each in placed]


def _place(customer: Customer, method: str, product: dict[str, Any]) -> tuple[dict[str, Any], str, float, float]:
    body = {"items": [{"product_id": product["id"], "quantity": 1}], "payment_method": method}
    key, began = f"demo-{uuid7()}", monotonic()
    order = customer.ask("POST", "/orders/", body, key=key)
    accepted = monotonic() - began
    again = customer.ask("POST", "/orders/", body, key=key)
    if again["id"] != order["id"]:
        raise Failure("the same Idempotency-Key gave a second order")
    return order, method, began, accepted


def _ended(
    customer: Customer, order: dict[str, Any], method: str, began: float, accepted: float, *, before: dict[str, int]
) -> Placed:
    while order["status"] not in _FINAL:
        if monotonic() - began > _END_SECONDS:
            raise Failure(f"order {order['id']} is still {order['status']} after {_END_SECONDS:.0f} s", Exit.UNHEALTHY)
        sleep(0.02)
        order = customer.ask("GET", f"/orders/{order['id']}/")
    product_id = order["items"][0]["product_id"]
    return Placed(
        order=order,
        method=method,
        product_id=product_id,
        accepted_seconds=accepted,
        ended_seconds=monotonic() - began,
        stock_taken=before[product_id] - _available(customer, product_id),
    )


def _available(customer: Customer, product_id: str) -> int:
    return int(customer.ask("GET", f"/inventory/{product_id}/")["available"])
