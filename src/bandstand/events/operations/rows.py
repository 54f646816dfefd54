"""Single rows of outbox and inbox, as documents."""

from datetime import datetime
from typing import Any

from bandstand.clock import rfc3339
from bandstand.config import section
from bandstand.events.config import EventsConfig
from bandstand.events.models import DeliveredRow, OutboxRow, WaitingRow

__all__ = ["outbox_rows", "waiting_rows"]


def outbox_rows(*, state: str, limit: int, **filters: str) -> list[dict[str, Any]]:
    """Rows that are `pending`, `dead` or `delivered` (those the latest first); empty filters do not restrict."""
    using = section(EventsConfig).database
    wanted = {name: value for name, value in filters.items() if value}
    if state == "delivered":
        receipts = DeliveredRow.objects.using(using).filter(**wanted).order_by("-id")[:limit]
        return [{**_common(row), "delivered_at": rfc3339(row.delivered_at)} for row in receipts]
    rows = OutboxRow.objects.using(using).filter(**wanted, dead_at__isnull=state == "pending").order_by("id")[:limit]
    return [
        {**_common(row), "attempts": row.attempts, "next_at": _moment(row.next_at), "reason": row.reason}
        for row in rows
    ]


def waiting_rows(*, limit: int, **filters: str) -> list[dict[str, Any]]:
    """Events that wait for a retry, theirs or an earlier one's, in the order they will be applied in."""
    wanted = {name: value for name, value in filters.items() if value}
    rows = WaitingRow.objects.using(section(EventsConfig).database).filter(**wanted).order_by("id")[:limit]
    return [
        {
            "consumer": row.consumer,
            "event_id": str(row.event_id),
            "type": row.type,
            "subject": row.subject,
            "attempts": row.attempts,
            "next_at": rfc3339(row.next_at),
            "reason": row.reason,
        }
        for row in rows
    ]


def _common(row: OutboxRow | DeliveredRow) -> dict[str, Any]:
    return {
        "sequence": row.id,
        "event_id": str(row.event_id),
        "type": row.type,
        "subject": row.subject,
        "created_at": rfc3339(row.created_at),
    }


def _moment(value: datetime | None) -> str | None:
    return rfc3339(value) if value else None
