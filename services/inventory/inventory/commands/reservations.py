"""Reservations by key: hold, renew, commit, release, expire.

All are idempotent, and whatever arrives late or twice finds the key's state decided. Rows are locked in one order
everywhere: the reservation, then the stock rows by product id.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from bandstand import clock
from bandstand.database.statements import Statement, insert, insert_absent
from inventory.commands.ledger import Cause, move_units
from inventory.errors import (
    InsufficientStock,
    ReservationCancelled,
    ReservationCommitted,
    ReservationDiffers,
    ReservationExpired,
    ReservationNotFound,
)
from inventory.models import Kind, Line, Reservation, ReservationLine, ReservationState
from inventory.queries import due_reservations, lines_of

__all__ = ["Reserved", "commit_reservation", "expire_due_reservations", "release_reservation", "reserve_stock"]


_MOVED = Statement(Reservation, "UPDATE {table} SET state = %s, updated_at = %s WHERE key = %s AND state = %s")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reserved:
    """A reservation as it stands, and whether this call made it."""

    state: ReservationState
    expires_at: datetime | None
    created: bool


def reserve_stock(*, key: str, order_id: UUID, lines: Sequence[Line], ttl: timedelta) -> Reserved:
    """Hold all *lines* for *ttl* under *key*, or none; a repeat with the same lines renews the expiry.

    Raises InsufficientStock; ReservationCancelled when the key was released, tombstoned or has expired;
    ReservationDiffers when it stands for another order or other lines.
    """
    with transaction.atomic():
        now = clock.database_now()
        wanted = Reservation(
            key=key,
            order_id=order_id,
            state=ReservationState.HELD,
            expires_at=now + ttl,
            created_at=now,
            updated_at=now,
        )
        if insert_absent(wanted):
            _hold(key, lines)
            return Reserved(state=ReservationState.HELD, expires_at=now + ttl, created=True)
        known = _locked(key)
        if not _expire_if_due(known, now=now):
            return _renew(known, wanted, lines)
    # Raised after the commit: this late caller's touch has just written down that the reservation expired.
    raise ReservationCancelled


def _hold(key: str, lines: Sequence[Line]) -> None:
    move_units(Kind.HOLD, lines, cause=Cause(reservation_key=key))
    insert([ReservationLine(reservation_id=key, product_id=line.product_id, quantity=line.quantity) for line in lines])


@transaction.atomic
def commit_reservation(*, key: str) -> None:
    """Sell what the key holds. Idempotent. An expired reservation takes its units again while there are any.

    Raises ReservationNotFound, ReservationCancelled, or ReservationExpired when others have the units now.
    """
    now = clock.database_now()
    # The usual case first, in one guarded statement. A held reservation past its expiry still has its units.
    if _transition(key, ReservationState.HELD, ReservationState.COMMITTED, now=now):
        move_units(Kind.COMMIT, lines_of(key), cause=Cause(reservation_key=key))
        return
    known = _locked(key)
    if known.state == ReservationState.COMMITTED:
        return
    if known.is_cancelled:
        raise ReservationCancelled
    try:
        move_units(Kind.LATE_COMMIT, lines_of(key), cause=Cause(reservation_key=key))
    except InsufficientStock as error:
        raise ReservationExpired(**error.details) from error
    _transition(key, ReservationState.EXPIRED, ReservationState.COMMITTED, now=now)


@transaction.atomic
def release_reservation(*, key: str) -> ReservationState:
    """Give back what the key holds and refuse it for ever; `released`, or `tombstoned` for a key that never came.

    Idempotent. After this returned neither a late reservation nor a late commit of the key takes effect.
    Raises ReservationCommitted.
    """
    now = clock.database_now()
    tombstone = Reservation(key=key, state=ReservationState.TOMBSTONED, created_at=now, updated_at=now)
    if insert_absent(tombstone):
        return ReservationState.TOMBSTONED
    known = _locked(key)
    match ReservationState(known.state):
        case ReservationState.COMMITTED:
            raise ReservationCommitted
        case ReservationState.HELD:
            _give_back(known, into=ReservationState.RELEASED, now=now)
        case ReservationState.EXPIRED if known.cancelled_at is None:
            Reservation.objects.filter(pk=key).update(cancelled_at=now, updated_at=now)
        case ReservationState.TOMBSTONED:
            return ReservationState.TOMBSTONED
        case _:
            pass
    return ReservationState.RELEASED


def expire_due_reservations(*, limit: int = 100) -> int:
    """Expire up to *limit* reservations whose time has passed, each in a transaction of its own; say how many.

    Several processes may run it at once: the row's lock and state decide who does it.
    """
    expired = 0
    for key in due_reservations(at=clock.database_now(), limit=limit):
        with transaction.atomic():
            expired += _expire_if_due(_locked(key), now=clock.database_now())
    return expired


def _renew(known: Reservation, wanted: Reservation, lines: Sequence[Line]) -> Reserved:
    if known.is_cancelled or known.state == ReservationState.EXPIRED:
        raise ReservationCancelled
    if known.order_id != wanted.order_id or sorted(lines_of(known.key)) != sorted(lines):
        raise ReservationDiffers
    if known.state == ReservationState.HELD:
        known.expires_at, known.updated_at = wanted.expires_at, wanted.updated_at
        known.save(update_fields=["expires_at", "updated_at"])
    return Reserved(state=ReservationState(known.state), expires_at=known.expires_at, created=False)


def _expire_if_due(reservation: Reservation, *, now: datetime) -> bool:
    if reservation.state != ReservationState.HELD or reservation.expires_at is None or reservation.expires_at > now:
        return False
    _give_back(reservation, into=ReservationState.EXPIRED, now=now)
    return True


def _give_back(reservation: Reservation, *, into: ReservationState, now: datetime) -> None:
    move_units(Kind.RELEASE, lines_of(reservation.key), cause=Cause(reason=into, reservation_key=reservation.key))
    _transition(reservation.key, ReservationState.HELD, into, now=now)
    reservation.state = into


def _transition(key: str, before: ReservationState, after: ReservationState, *, now: datetime) -> bool:
    return bool(_MOVED.run(after.value, now, key, before.value))


def _locked(key: str) -> Reservation:
    reservation: Reservation | None = Reservation.objects.select_for_update().filter(pk=key).first()
    if reservation is None:
        raise ReservationNotFound
    return reservation
