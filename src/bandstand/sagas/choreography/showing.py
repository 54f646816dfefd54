"""One journey as people and machines see it."""

from typing import Any

from bandstand.clock import rfc3339
from bandstand.sagas.choreography.declaration import Choreography
from bandstand.sagas.choreography.drawing import as_text
from bandstand.sagas.choreography.models import ChoreographyWatch

__all__ = ["facts", "marked"]

_ABSENT = " " * len("2026-01-01T00:00:00.000Z")


def facts(watch: ChoreographyWatch) -> dict[str, Any]:
    """Everything that is known of a journey, as JSON has it."""
    return {
        "id": str(watch.pk),
        "name": watch.name,
        "key": watch.key,
        "state": watch.state,
        "waiting_for": watch.waiting_for.split(),
        "due_at": rfc3339(watch.due_at) if watch.due_at else None,
        "note": watch.note,
        "seen": {event: rfc3339(at) for event, at in watch.moments.items()},
        "correlation_id": watch.correlation_id,
        "began_at": rfc3339(watch.began_at),
        "moved_at": rfc3339(watch.moved_at),
    }


def marked(choreography: type[Choreography], watch: ChoreographyWatch) -> str:
    """The drawing, with the moment before each event that was seen and an arrow before what is waited for."""
    seen, waiting_for = watch.moments, watch.waiting_for.split()

    def mark(event: str) -> str:
        if event in seen:
            return f"{rfc3339(seen[event])}  "
        return f"{'-> waited for'.ljust(len(_ABSENT)) if event in waiting_for else _ABSENT}  "

    return as_text(choreography, mark)
