"""What the tests of several topics ask of payments."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from payments import clients
from payments.config import payments_config

__all__ = [
    "LATE_SECONDS",
    "SECRET",
    "SLOW_SECONDS",
    "cancel",
    "capture",
    "configured",
    "path",
    "problem",
    "put",
    "wanted",
]

SECRET = "a-secret-that-only-provider-and-shop-know"
SLOW_SECONDS, LATE_SECONDS = 0.5, 1.0


@contextmanager
def configured(**variables: str) -> Iterator[None]:
    """Read the settings again with *variables* set, and once more when they are gone: they are cached."""
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            _forget()
            yield
    finally:
        _forget()


def _forget() -> None:
    payments_config.cache_clear()
    clients._places.cache_clear()


def path(key: str) -> str:
    return f"/internal/v1/payments/{key}/"


def wanted(method: str = "tok_ok", **changes: Any) -> dict[str, Any]:
    order = {"order_id": str(uuid4()), "user_id": str(uuid4())}
    return {**order, "amount": 1999, "currency": "EUR", "payment_method": method, **changes}


def put(orders: Client, key: str, body: Any, *, patience_ms: int = 10_000) -> Any:
    """Ask for a capture and wait for its answer no longer than that, as orders does."""
    headers = {"X-Timeout-Ms": str(patience_ms)}
    return orders.put(path(key), body, content_type="application/json", headers=headers)


def capture(orders: Client, key: str, method: str = "tok_ok", *, user_id: UUID | None = None) -> Any:
    return put(orders, key, wanted(method, **({"user_id": str(user_id)} if user_id else {})))


def cancel(orders: Client, key: str) -> Any:
    return orders.delete(path(key))


def problem(answer: Any) -> tuple[int, Any]:
    """Status and reason of an error, however it is called."""
    fault = answer.json()["error"]
    details = fault["details"]
    return answer.status_code, details.get("conflict") or details.get("business_rule") or fault["code"]
