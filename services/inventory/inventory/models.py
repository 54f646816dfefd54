"""Stock rows, the ledger of their movements, and reservations.

Every row satisfies `initial + restocked = available + held + sold`, and equals the fold of its movements: the first is
a constraint here, the second follows because `commands.ledger` is the only writer of both.
"""

from dataclasses import dataclass
from typing import Any, NoReturn
from uuid import UUID

from django.db import connections, models
from django.db.models import F, Q

from bandstand import clock

__all__ = ["Delta", "Kind", "Line", "Movement", "Reservation", "ReservationLine", "ReservationState", "Stock"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Delta:
    """What one movement adds to each bucket of a stock row."""

    available: int = 0
    held: int = 0
    sold: int = 0
    restocked: int = 0


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Line:
    """So many units of a product."""

    product_id: UUID
    quantity: int


class Kind(models.TextChoices):
    """Why units moved. `restock` is a staff adjustment, of either sign."""

    RESTOCK = "restock"
    HOLD = "hold"
    RELEASE = "release"
    COMMIT = "commit"
    LATE_COMMIT = "late_commit"

    def delta(self, quantity: int) -> Delta:
        """What moving *quantity* units does to the buckets."""
        match self:
            case Kind.RESTOCK:
                return Delta(available=quantity, restocked=quantity)
            case Kind.HOLD:
                return Delta(available=-quantity, held=quantity)
            case Kind.RELEASE:
                return Delta(available=quantity, held=-quantity)
            case Kind.COMMIT:
                return Delta(held=-quantity, sold=quantity)
            case Kind.LATE_COMMIT:
                return Delta(available=-quantity, sold=quantity)


class StockQuerySet(models.QuerySet["Stock"]):
    """Stock rows, with the one statement that may change their numbers."""

    def move(self, product_id: UUID, delta: Delta) -> int | None:
        """Add *delta* to a row unless `available` would fall below zero; give the new `available`, or None.

        One guarded UPDATE: whoever comes second sees the first one's result, so nothing is read, decided and written
        back. None also means that there is no such row.
        """
        table = self.model._meta  # noqa: SLF001 - Django documents it
        # The ORM has no UPDATE … RETURNING; reading the row back would cost a second statement for each line.
        query = (
            f"UPDATE {table.db_table} SET available = available + %s, held = held + %s, sold = sold + %s,"  # noqa: S608
            " restocked = restocked + %s WHERE product_id = %s AND available + %s >= 0 RETURNING available"
        )
        connection = connections[self.db]
        key = table.pk.get_db_prep_value(product_id, connection)
        with connection.cursor() as cursor:
            cursor.execute(query, [delta.available, delta.held, delta.sold, delta.restocked, key, delta.available])
            rows = cursor.fetchall()
        return rows[0][0] if rows else None


class Stock(models.Model):
    """How many units of a product there are, by what has become of them."""

    product_id = models.UUIDField(primary_key=True, editable=False)
    sku = models.CharField(max_length=64)
    initial = models.BigIntegerField(default=0)
    restocked = models.BigIntegerField(default=0)
    available = models.BigIntegerField(default=0)
    held = models.BigIntegerField(default=0)
    sold = models.BigIntegerField(default=0)

    objects = StockQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "stock"
        constraints = [
            models.CheckConstraint(
                name="stock_is_conserved",
                condition=Q(available=F("initial") + F("restocked") - F("held") - F("sold")),
            ),
            models.CheckConstraint(
                name="stock_is_never_negative", condition=Q(available__gte=0, held__gte=0, sold__gte=0, initial__gte=0)
            ),
        ]


class AppendOnlyQuerySet(models.QuerySet["Movement"]):
    """Rows that are written once."""

    def update(self, **_: Any) -> NoReturn:
        """Refuse."""
        raise TypeError("the ledger is append-only")

    def delete(self) -> NoReturn:
        """Refuse."""
        raise TypeError("the ledger is append-only")


class Movement(models.Model):
    """One line of the ledger: what a movement added to each bucket, why, and for which reservation.

    `marker` makes an adjustment idempotent for good: a second one with the same marker is not made.
    """

    product = models.ForeignKey(Stock, on_delete=models.PROTECT, related_name="movements", db_column="product_id")
    kind = models.CharField(max_length=16, choices=Kind)
    available = models.BigIntegerField(default=0)
    held = models.BigIntegerField(default=0)
    sold = models.BigIntegerField(default=0)
    reason = models.CharField(max_length=200, blank=True)
    reservation_key = models.CharField(max_length=255, blank=True)
    marker = models.CharField(max_length=255, null=True, default=None)  # noqa: DJ001 - absent, not empty: it is unique
    actor = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField(default=clock.now)

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(name="movement_is_of_a_known_kind", condition=Q(kind__in=Kind.values)),
            models.CheckConstraint(
                name="movement_conserves_units",
                condition=Q(kind=Kind.RESTOCK, held=0, sold=0)
                | (~Q(kind=Kind.RESTOCK) & Q(available=-F("held") - F("sold"))),
            ),
            models.UniqueConstraint(
                name="movement_marker_is_unique", fields=["marker"], condition=Q(marker__isnull=False)
            ),
        ]

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert; a movement that exists is never changed."""
        if not self._state.adding:
            raise TypeError("the ledger is append-only")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:  # noqa: ARG002 - Django's signature
        """Refuse."""
        raise TypeError("the ledger is append-only")


class ReservationState(models.TextChoices):
    """What has become of a reservation. All but `held` are final, save that an expired one may still be committed."""

    HELD = "held"
    COMMITTED = "committed"
    RELEASED = "released"
    EXPIRED = "expired"
    TOMBSTONED = "tombstoned"


class Reservation(models.Model):
    """Units held for an order under the key of a saga step; a tombstone is a key cancelled before it came.

    `cancelled_at` is set by a release of an expired reservation: it stays expired, and can no longer be committed.
    """

    key = models.CharField(primary_key=True, max_length=255)
    order_id = models.UUIDField(null=True)
    state = models.CharField(max_length=16, choices=ReservationState)
    expires_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True, default=None)
    created_at = models.DateTimeField(default=clock.now)
    updated_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.CheckConstraint(name="reservation_state_is_known", condition=Q(state__in=ReservationState.values)),
            models.CheckConstraint(
                name="reservation_belongs_to_an_order",
                condition=Q(state=ReservationState.TOMBSTONED) | Q(order_id__isnull=False, expires_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(name="reservation_due", fields=["expires_at"], condition=Q(state=ReservationState.HELD)),
        ]

    @property
    def is_cancelled(self) -> bool:
        """Whether a release was confirmed for this key: it can neither hold nor sell any more."""
        return self.cancelled_at is not None or self.state in (ReservationState.RELEASED, ReservationState.TOMBSTONED)


class ReservationLine(models.Model):
    """So many units of one product within a reservation."""

    reservation = models.ForeignKey(Reservation, on_delete=models.PROTECT, related_name="lines", db_index=False)
    product = models.ForeignKey(
        Stock, on_delete=models.PROTECT, related_name="+", db_column="product_id", db_index=False
    )
    quantity = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="reservation_has_one_line_per_product", fields=["reservation", "product"]),
            models.CheckConstraint(name="reservation_line_is_positive", condition=Q(quantity__gt=0)),
        ]
