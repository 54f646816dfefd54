"""What the service under test has published, as its tests ask for it."""

import json
from collections.abc import Callable
from typing import Any

__all__ = ["Facts", "facts_from_now"]

Facts = Callable[[], list[tuple[str, dict[str, Any]]]]
"""Gives what has been published since the call before, as (type without the service, data), oldest first."""


def facts_from_now() -> Facts:
    """Read the outbox, in which events stay while a test runs no relay."""
    from bandstand.config import identity  # noqa: PLC0415 - models can be imported once Django is set up
    from bandstand.events.models import OutboxRow  # noqa: PLC0415 - as above

    seen, own = 0, f"{identity().name}."

    def read() -> list[tuple[str, dict[str, Any]]]:
        nonlocal seen
        rows = list(OutboxRow.objects.filter(id__gt=seen).order_by("id"))
        seen = rows[-1].id if rows else seen
        return [(row.type.removeprefix(own), json.loads(row.envelope)["data"]) for row in rows]

    return read
