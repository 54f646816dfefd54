"""What the tests of several topics ask of orders."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

from django.test import Client

__all__ = ["ANN", "BOB", "ORDERS", "NewProduct", "cancel", "place", "placed", "problem", "wish"]

ANN, BOB = UUID("019b76da-a800-7000-8000-00000000000a"), UUID("019b76da-a800-7000-8000-00000000000b")
ORDERS = "/api/v1/orders/"

NewProduct = Callable[..., UUID]


def wish(*products: UUID, quantity: Any = 2, **more: Any) -> dict[str, Any]:
    items = [{"product_id": str(product), "quantity": quantity} for product in products]
    return {"items": items, "payment_method": "tok_ok", **more}


def place(client: Client, body: Any, *, key: str | None = None) -> Any:
    headers = {"Idempotency-Key": key or f"order-{uuid4()}"}
    return client.post(ORDERS, body, content_type="application/json", headers=headers)


def placed(client: Client, *products: UUID, **more: Any) -> dict[str, Any]:
    """Place an order and return it."""
    answer = place(client, wish(*products, **more))
    assert answer.status_code == 202, answer.content
    order: dict[str, Any] = answer.json()
    return order


def cancel(client: Client, order_id: UUID | str) -> Any:
    return client.post(f"{ORDERS}{order_id}/cancel/", content_type="application/json")


def problem(answer: Any) -> tuple[int, Any]:
    """Status and reason of an error, however it is called."""
    fault = answer.json()["error"]
    details = fault["details"]
    return answer.status_code, details.get("conflict") or details.get("business_rule") or fault["code"]
