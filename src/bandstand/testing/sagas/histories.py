"""Recorded histories of sagas, fed through the definition and the engine of today: no deploy may change their way."""

import json
from collections import deque
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from bandstand.clock import rfc3339
from bandstand.sagas import Saga, SagaExecution, SagaStepLog, engine
from bandstand.sagas.deciding import decide
from bandstand.sagas.engine.move import PARENT
from bandstand.sagas.models import SagaSignal
from bandstand.sagas.protocol import (
    Answered,
    Asked,
    Begun,
    Call,
    CancelRequested,
    Decide,
    Due,
    Event,
    Hurried,
    Log,
    Outcome,
    Resumed,
    TurnedBack,
)
from bandstand.sagas.runs import Run
from bandstand.sagas.steps import Direction, Mode
from bandstand.sagas.transitions import Phase
from bandstand.testing.sagas.rewriting import declared

__all__ = ["Diverged", "record", "replay"]

_WISHES = {"cancel", "compensate"}
_FIELDS = ("step", "direction", "attempt", "outcome")


class Diverged(AssertionError):
    """A recorded saga would go another way today."""


def record(saga_id: UUID, file: Path) -> None:
    """Write the history of a saga that has ended. Raises SagaExecution.DoesNotExist, ValueError while it lives."""
    row = SagaExecution.objects.get(pk=saga_id)
    if row.lease_until is not None:
        raise ValueError(f"the saga {saga_id} has not ended")
    lines = SagaStepLog.objects.filter(saga_id=saga_id).order_by("id")
    wishes = SagaSignal.objects.filter(saga_id=saga_id, name__in=_WISHES, taken_at__isnull=False).order_by("id")
    history = {
        "saga": row.type,
        "version": row.version,
        "key": row.business_key,
        "parent": row.parent_step,
        "began": rfc3339(row.created_at),
        "log": [_line(line) for line in lines],
        "wishes": [{"name": one.name, "note": one.note, "at": rfc3339(one.taken_at)} for one in wishes if one.taken_at],
        "end": {"status": row.status, "reason": row.reason, "at": rfc3339(row.updated_at)},
    }
    file.write_text(json.dumps(history, indent=1) + "\n", encoding="utf-8")


def _line(line: SagaStepLog) -> dict[str, Any]:
    facts: dict[str, Any] = {name: getattr(line, name) for name in _FIELDS}
    return {**facts, "at": rfc3339(line.at), **({"output": json.loads(line.output)} if line.output else {})}


def replay(file: Path, saga: type[Saga] | Saga) -> None:
    """Feed the outcomes of a recorded history through *saga*. Raises Diverged at the first difference.

    What was heard is taken from the history; what follows is asked of today's engine and definition: which steps, in
    which order, for which items, to which end. What left no line, such as a refused renewal, cannot be replayed.
    """
    _Replay(json.loads(file.read_text(encoding="utf-8")), declared(saga), file.name).play()


class _Replay:
    def __init__(self, history: dict[str, Any], saga: Saga, name: str) -> None:
        self._history, self._saga, self._name = history, saga, name
        self._lines: deque[dict[str, Any]] = deque(history["log"])
        self._wishes: deque[dict[str, Any]] = deque(history["wishes"])
        self._context: dict[str, Any] = {}
        self._now = datetime.fromisoformat(history["began"])
        self._state = engine.born(saga, self._now, parent=history["parent"])

    def play(self) -> None:
        self._feed(Begun())
        while self._lines:
            before = (self._state, len(self._lines), len(self._wishes))
            self._now = datetime.fromisoformat(self._lines[0]["at"])
            self._feed(self._cause(self._lines[0]))
            if before == (self._state, len(self._lines), len(self._wishes)):
                raise self._diverged(f"nothing leads to {_told(self._lines[0])}")
        self._end()

    def _cause(self, line: dict[str, Any]) -> Event:
        """What must have happened, for this to be the next line."""
        if self._is_wished_before_next():
            return self._wish()
        position = next((one for one in self._state.at if one.unit == line["step"]), None)
        if line["outcome"] not in (Outcome.INTENT, Outcome.SKIPPED) and position is not None:
            leaf = self._saga.plan.leaf(position.unit)
            if leaf is None or leaf.mode is not Mode.TIMER:
                return self._answer(line)
        if position is not None and position.phase in (Phase.CALLING, Phase.UNDOING):
            return Resumed()
        due = self._state.next_at
        return Due() if due is not None and due <= self._now else Hurried()

    def _is_wished_before_next(self) -> bool:
        """Whether a wish was taken in before the next line; at the same moment it was if nothing begins any more."""
        if not self._wishes:
            return False
        at = datetime.fromisoformat(self._wishes[0]["at"])
        begins = any((one["direction"], one["outcome"]) == (Direction.DO, Outcome.INTENT) for one in self._lines)
        return at < self._now or (at == self._now and not begins)

    def _wish(self) -> Event:
        wish = self._wishes.popleft()
        return CancelRequested() if wish["name"] == "cancel" else TurnedBack(wish["note"] or "compensated")

    def _answer(self, line: dict[str, Any]) -> Answered:
        outcome, is_later_undone = Outcome(line["outcome"]), self._is_undone(line["step"])
        is_no = outcome is Outcome.REFUSED
        reason = self._history["end"]["reason"] if is_no and self._state.ending is None else ""
        direction = Direction(line["direction"])
        return Answered(line["step"], direction, outcome, reason=reason, jitter=0.0, doubtful=is_no and is_later_undone)

    def _is_undone(self, unit: str) -> bool:
        return any(line["step"] == unit and line["direction"] == Direction.UNDO for line in self._lines)

    def _feed(self, event: Event) -> None:
        queue: deque[Event] = deque([event])
        while queue:
            self._state, commands = engine.step(self._saga, self._state, queue.popleft(), self._now)
            for command in commands:
                match command:
                    case Log():
                        self._expect(command)
                    case Decide():
                        queue.append(decide(self._run(), command.unit, json.dumps(self._context), self._now))
                    case Call() if command.leaf.mode is not Mode.CALL:
                        queue.append(self._within(command))

    def _within(self, call: Call) -> Event:
        """What came of a local step, or of asking: it stands in the same commit."""
        line = next((one for one in self._lines if one["step"] == call.unit), None)
        is_here = line is not None and (line["attempt"], line["direction"]) == (call.attempt, call.direction)
        if line is not None and is_here and (call.leaf.mode is Mode.LOCAL or line["outcome"] == Outcome.FAILED):
            return self._answer(line)
        return Asked(call.unit, call.direction)

    def _expect(self, log: Log) -> None:
        line = self._lines.popleft() if self._lines else None
        now = {"step": log.unit, "direction": log.direction, "attempt": log.attempt, "outcome": log.outcome}
        if line is None or any(line[name] != now[name] for name in _FIELDS):
            raise self._diverged(f"today it is {_told(now)}, and then it was {_told(line) if line else 'the end'}")
        if log.direction is Direction.DO:
            self._context.update(line.get("output", {}))

    def _end(self) -> None:
        end = self._history["end"]
        self._now = datetime.fromisoformat(end["at"])
        while self._wishes:
            self._feed(self._wish())
        if not self._state.status.is_final:
            waits_for_parent = any(one.unit == PARENT for one in self._state.at)
            self._feed(Answered(PARENT, Direction.DO, Outcome.OK) if waits_for_parent else Due())
        if (self._state.status, self._state.reason) != (end["status"], end["reason"]):
            now = f"{self._state.status} {self._state.reason}".strip()
            raise self._diverged(f"today it ends {now}, and then it ended {end['status']} {end['reason']}".strip())

    def _run(self) -> Run:
        return Run(
            id=UUID(int=0),
            saga=self._saga,
            business_key=self._history["key"],
            epoch=1,
            state=self._state,
            context=json.dumps(self._context),
            correlation_id="",
            traceparent="",
            created_at=self._now,
        )

    def _diverged(self, why: str) -> Diverged:
        return Diverged(f"{self._name}, {self._saga.name}: {why}")


def _told(line: dict[str, Any]) -> str:
    return f"{line['direction']} {line['step']} {line['attempt']} {line['outcome']}"
