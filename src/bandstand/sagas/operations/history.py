"""The story of one saga: every attempt with what it was given and what it returned, and whatever was said meanwhile."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from bandstand.errors import NotFound
from bandstand.sagas.encoding import redacted
from bandstand.sagas.models import SagaExecution, SagaSignal, SagaStepLog
from bandstand.sagas.operations.case import declared
from bandstand.sagas.protocol import Outcome
from bandstand.sagas.signals import SignalName

__all__ = ["Attempt", "Timeline", "timeline", "words_of"]

_WORDS = (SignalName.SKIP, SignalName.RESOLVE, SignalName.COMPENSATE)
"""The signals whose payload is words of ours; what others carry was not written by this saga and is not shown."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One line of the log, for people: sensitive values are dots.

    `seconds` lie between the intent and this outcome of it; `given` is the context at an intent, `output` what the step
    returned.
    """

    at: datetime
    step: str
    direction: str
    attempt: int
    outcome: str
    key: str
    worker: UUID | None
    error: str = ""
    seconds: float | None = None
    given: dict[str, Any] | None = None
    output: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """One saga and its history, oldest first."""

    saga: SagaExecution
    log: list[SagaStepLog]
    signals: list[SagaSignal] = field(default_factory=list)

    def attempts(self) -> list[Attempt]:
        """The log, with what each attempt was given."""
        return list(_told(self.log, _shape(self.saga)))

    def merged(self) -> list[Attempt | SagaSignal]:
        """Attempts and signals in the order of time; an intent only where nothing is known of its outcome yet."""
        attempts = self.attempts()
        settled = {_name(one) for one in attempts if one.outcome != Outcome.INTENT}
        shown = [one for one in attempts if one.outcome != Outcome.INTENT or _name(one) not in settled]
        return sorted([*self.signals, *shown], key=lambda one: one.at)  # at one moment, what was said comes first


def timeline(saga_id: UUID) -> Timeline:
    """One saga with its history. Raises NotFound."""
    row = SagaExecution.objects.filter(pk=saga_id).first()
    if row is None:
        raise NotFound(f"there is no saga {saga_id}")
    log = list(SagaStepLog.objects.filter(saga_id=saga_id).order_by("id"))
    return Timeline(saga=row, log=log, signals=list(SagaSignal.objects.filter(saga_id=saga_id).order_by("id")))


def words_of(signal: SagaSignal) -> str:
    """What a signal says beside its name, if it says it in words of ours."""
    return signal.payload if signal.name in _WORDS else ""


def _shape(row: SagaExecution) -> type[Any] | None:
    saga = declared(row)
    return saga.context if saga is not None else None


def _name(one: Attempt) -> tuple[str, str, int]:
    return one.step, one.direction, one.attempt


def _told(log: Iterable[SagaStepLog], shape: type[Any] | None) -> Iterator[Attempt]:
    """What a step was given is the first context with all outputs before it."""
    held: dict[str, Any] = {}
    begun: dict[tuple[str, str, int], datetime] = {}
    for line in log:
        name = (line.step, line.direction, line.attempt)
        is_intent = line.outcome == Outcome.INTENT
        output = _shown(line.output, shape) if line.output else None
        held |= output or {}
        intended = None if is_intent else begun.pop(name, None)
        if is_intent:
            begun[name] = line.at
        yield Attempt(
            at=line.at,
            step=line.step,
            direction=line.direction,
            attempt=line.attempt,
            outcome=line.outcome,
            key=line.key if line.step else "",
            worker=line.worker,
            error=line.error,
            seconds=(line.at - intended).total_seconds() if intended is not None else None,
            given=dict(held) if is_intent else None,
            output=output,
        )


def _shown(text: str, shape: type[Any] | None) -> dict[str, Any]:
    try:
        return redacted(text, shape)
    except (ValueError, AttributeError, json.JSONDecodeError):  # of another release, or broken: shown as nothing
        return {"…": "cannot be read"}
