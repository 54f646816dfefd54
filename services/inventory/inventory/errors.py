"""What can go wrong in the inventory, by name."""

from bandstand.errors import BusinessRuleViolated, Conflict, NotFound

__all__ = [
    "InsufficientStock",
    "ReservationCancelled",
    "ReservationCommitted",
    "ReservationDiffers",
    "ReservationExpired",
    "ReservationNotFound",
    "StockNotFound",
]


class StockNotFound(NotFound):
    """No stock is kept for this product (yet)."""

    sentence = "No stock is kept for this product."


class InsufficientStock(BusinessRuleViolated):
    """Fewer units are available than were asked for."""

    rule = "insufficient_stock"


class ReservationNotFound(NotFound):
    """No reservation has this key."""

    sentence = "No reservation has this key."


class ReservationCancelled(Conflict):
    """The key was released, tombstoned or has expired: it never holds stock again."""

    conflict = "cancelled"
    sentence = "This reservation was cancelled or has expired."


class ReservationDiffers(Conflict):
    """The key already stands for another order or other lines."""

    conflict = "different"
    sentence = "This key already reserves something else."


class ReservationCommitted(Conflict):
    """The units are sold: a committed reservation is never released."""

    conflict = "committed"
    sentence = "This reservation is committed."


class ReservationExpired(Conflict):
    """The reservation expired and its units have gone to others."""

    conflict = "expired"
    sentence = "This reservation has expired and its stock is gone."
