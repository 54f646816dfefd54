"""The knobs of the orders service, read once."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from bandstand.config import load, setting


@dataclass(frozen=True, kw_only=True)
class OrdersConfig:
    """Read from `ORDERS_…`."""

    deadline: timedelta = setting(timedelta(seconds=120), text="how long an order may take to be paid")
    payment_timeout: timedelta = setting(timedelta(seconds=2), text="how long one attempt to pay is waited for")
    reservation_ttl: timedelta = setting(timedelta(seconds=300), text="how long stock is held without renewal")


@cache
def orders_config() -> OrdersConfig:
    """The knobs of this process."""
    return load(OrdersConfig, prefix="ORDERS")
