"""The writes of the inventory: each one transaction, one decision and its events."""

from inventory.commands.reservations import (
    Reserved,
    commit_reservation,
    expire_due_reservations,
    release_reservation,
    reserve_stock,
)
from inventory.commands.stock import adjust_stock, open_stock, rename_stock

__all__ = [
    "Reserved",
    "adjust_stock",
    "commit_reservation",
    "expire_due_reservations",
    "open_stock",
    "release_reservation",
    "rename_stock",
    "reserve_stock",
]
