"""Dead letters as documents and as lines."""

import json
from collections.abc import Iterable
from typing import Any

from bandstand.clock import rfc3339
from bandstand.events import actions
from bandstand.events.models import DeadLetter
from bandstand.events.operations.output import table

__all__ = ["facts", "report", "summary"]

_COLUMNS = ("id", "state", "consumer", "type", "subject", "attempts", "reason")


def facts(letter: DeadLetter) -> dict[str, Any]:
    """What a listing says about it."""
    return {
        "id": str(letter.id),
        "consumer": letter.consumer,
        "event_id": str(letter.event_id),
        "type": letter.type,
        "subject": letter.subject,
        "attempts": letter.attempts,
        "reason": letter.reason,
        "state": letter.state,
        "first_failed_at": rfc3339(letter.first_failed_at),
        "died_at": rfc3339(letter.died_at),
    }


def report(letter: DeadLetter) -> dict[str, Any]:
    """Everything that is known about it: envelope, traceback, and what people did with it."""
    trail = [
        {"at": rfc3339(each.at), "actor": each.actor, "action": each.action, "note": each.note}
        for each in actions.of_dead_letter(letter.pk)
    ]
    return {**facts(letter), "envelope": _parsed(letter.envelope), "actions": trail, "traceback": letter.traceback}


def summary(letters: Iterable[DeadLetter]) -> str:
    """One line for each."""
    rows = [[str(getattr(letter, column)).partition("\n")[0] for column in _COLUMNS] for letter in letters]
    return table([column.upper() for column in _COLUMNS], rows)


def _parsed(envelope: str) -> Any:
    try:
        return json.loads(envelope)
    except ValueError:
        return envelope
