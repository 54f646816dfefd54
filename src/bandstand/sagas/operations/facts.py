"""Sagas as JSON values and as lines of text."""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from bandstand import clock
from bandstand.clock import rfc3339
from bandstand.sagas.models import SagaExecution, SagaSignal
from bandstand.sagas.operations.history import Attempt, Timeline, words_of
from bandstand.sagas.operations.phrases import age, clipped, took
from bandstand.sagas.operations.reasons import stuck, why
from bandstand.sagas.protocol import Outcome

__all__ = ["described", "facts", "told"]


def facts(rows: Iterable[SagaExecution]) -> list[dict[str, Any]]:
    """Sagas as JSON values, with the reasons why they wait."""
    chosen, now = list(rows), clock.database_now()
    proposed = _proposed(chosen)
    return [_facts(row, now, proposed.get(row.pk, "")) for row in chosen]


def described(found: Timeline) -> dict[str, Any]:
    """One saga with its history as JSON values."""
    (known,) = facts([found.saga])
    return {
        **known,
        "log": [_attempt(one) for one in found.attempts()],
        "signals": [_signal(one) for one in found.signals],
    }


def told(found: Timeline, *, full: bool = False) -> Iterator[str]:
    """One saga with its history as lines of text; *full* shows all that steps were given and returned."""
    (known,) = facts([found.saga])
    yield f"{known['type']} {known['key']}  {known['id']}"
    names = ("status", "why", "stuck", "direction", "reason", "correlation_id", "created_at", "deadline", "updated_at")
    yield from (f"{name}: {known[name]}" for name in names if known[name])
    for one in found.merged():
        yield from _attempt_lines(one, full=full) if isinstance(one, Attempt) else [_signal_line(one)]


def _proposed(rows: list[SagaExecution]) -> Mapping[UUID, str]:
    found: dict[UUID, str] = {}
    for one in SagaSignal.objects.filter(saga_id__in=[row.pk for row in rows], proposed=True).order_by("id"):
        said = f"{one} is proposed by {one.said_by} (proposal {one.pk}) and waits for another person"
        found[one.saga_id] = f"{found[one.saga_id]}; {said}" if one.saga_id in found else said
    return found


def _facts(row: SagaExecution, now: datetime, proposed: str) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "type": row.type,
        "version": row.version,
        "key": row.business_key,
        "status": row.status,
        "why": "; ".join(filter(None, (why(row, now), proposed if row.lease_until is not None else ""))),
        "stuck": stuck(row, now),
        "age": age(row.created_at, now),
        "direction": row.direction,
        "step": row.step,
        "attempt": row.attempt,
        "reason": row.reason,
        "error": row.error,
        "parent": str(row.parent_id) if row.parent_id else None,
        "correlation_id": row.correlation_id,
        "deadline": rfc3339(row.deadline) if row.deadline else None,
        "next_at": rfc3339(row.next_at) if row.next_at else None,
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
    }


def _attempt(one: Attempt) -> dict[str, Any]:
    return {
        "at": rfc3339(one.at),
        "step": one.step,
        "direction": one.direction,
        "attempt": one.attempt,
        "outcome": one.outcome,
        "key": one.key,
        "worker": str(one.worker) if one.worker else None,
        "seconds": one.seconds,
        "input": one.given,
        "output": one.output,
        "error": one.error,
    }


def _signal(one: SagaSignal) -> dict[str, Any]:
    moments = {name: getattr(one, name) for name in ("at", "seconded_at", "taken_at")}
    return {
        "id": one.pk,
        "name": one.name,
        "step": one.step,
        "says": words_of(one),
        "said_by": one.said_by,
        "note": one.note,
        "is_proposed": one.proposed,
        "seconded_by": one.seconded_by,
        **{name: rfc3339(moment) if moment else None for name, moment in moments.items()},
    }


def _attempt_lines(one: Attempt, *, full: bool) -> Iterator[str]:
    at = f"  {one.at:%Y-%m-%d %H:%M:%S}.{one.at.microsecond // 1000:03d}"
    if one.outcome == Outcome.BEGUN:
        yield f"{at}  begun"
    else:
        said = "under way" if one.outcome == Outcome.INTENT else one.outcome
        after = f" after {took(one.seconds)}" if one.seconds is not None else ""
        by = f", worker …{str(one.worker)[-6:]}" if one.worker else ""
        yield f"{at}  {one.direction} {one.step} ({one.attempt}): {said}{after}{by}  {clipped(one.error)}".rstrip()
    for name, value in (("given", one.given if full else None), ("returned", one.output)):
        if value:
            text = json.dumps(value, ensure_ascii=False)
            yield f"      {name} {text if full else clipped(text)}"


def _signal_line(one: SagaSignal) -> str:
    at = f"  {one.at:%Y-%m-%d %H:%M:%S}.{one.at.microsecond // 1000:03d}"
    by = f" by {one.said_by}" if one.said_by else ""
    second = f", confirmed by {one.seconded_by}" if one.seconded_by else ""
    waits = " (proposed)" if one.proposed else "" if one.taken_at else " (not taken in yet)"
    said = words_of(one)
    return f"{at}  * {one}{f' {said}' if said else ''}{by}{second}{waits}  {clipped(one.note)}".rstrip()
