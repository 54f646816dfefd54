"""The knobs of the inventory service, read once from the environment with the prefix `INVENTORY`."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from bandstand.config import load

__all__ = ["InventoryConfig", "inventory_config"]


@dataclass(frozen=True, kw_only=True)
class InventoryConfig:
    """`low_stock` units or fewer count as low; due reservations are looked for once per `expiry_interval`."""

    low_stock: int = 5
    expiry_interval: timedelta = timedelta(seconds=1)


@cache
def inventory_config() -> InventoryConfig:
    """The configuration of this process. Raises ConfigurationError naming every fault."""
    return load(InventoryConfig, prefix="INVENTORY")
