"""What stands in the place of a saga's participants, and notes what they have done."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from django.db import connection

from bandstand.errors import ServiceError, ServiceTimeoutError
from bandstand.sagas import Found, Saga, SagaExecution, SagaStep, StepCall, StepRefused, WaitFor
from bandstand.sagas.participant.protocol import EffectCancelled, KeyState
from bandstand.sagas.steps import Approval, Direction, Leaf, SagaCommand
from bandstand.testing.participants import FakeParticipant
from bandstand.testing.sagas.life import Life
from bandstand.testing.sagas.scenarios import Scenario, Trouble

__all__ = ["Books", "Cast", "Play"]


class Play(StrEnum):
    """Whose functions are run."""

    OWN = "own"
    """The saga's own, all of them: they call what the test has put up."""
    STAND_INS = "stand_ins"
    """Keyed stand-ins with tombstones for remote steps; local steps and what ends the saga are its own."""
    ALL_STAND_INS = "all_stand_ins"
    """Stand-ins for everything: nothing of the service is needed but the declaration."""


_TABLE = "bandstand_saga_rehearsal"
_COUNTED = f"SELECT count(*) FROM {_TABLE} WHERE key = %s AND what = %s"  # noqa: S608 - our own name


class Books:
    """Who did what: participants by the name of their step, and the effects of local steps in the saga's database."""

    def __init__(self, path: Path | str = ":memory:") -> None:
        self._path = path
        self._participants: dict[str, FakeParticipant] = {}

    def participant(self, step: str) -> FakeParticipant:
        """The one behind *step*."""
        if step not in self._participants:
            self._participants[step] = FakeParticipant(step, path=self._path)
        return self._participants[step]

    def note_locally(self, key: str, what: str) -> None:
        """Note an effect in the open transaction."""
        with connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO {_TABLE} VALUES (%s, %s)", [key, what])  # noqa: S608 - our own name

    def noted(self, key: str, what: str) -> int:
        """How often an effect was committed."""
        with connection.cursor() as cursor:
            cursor.execute(_COUNTED, [key, what])
            return int(cursor.fetchone()[0])

    @contextmanager
    def opened(self) -> Iterator["Books"]:
        """Keep the table for the block."""
        self._execute(f"CREATE TABLE IF NOT EXISTS {_TABLE} (key text, what text)")
        try:
            yield self
        finally:
            self._execute(f"DROP TABLE {_TABLE}")
            self.close()

    def close(self) -> None:
        """Close the participants' books."""
        for participant in self._participants.values():
            participant.close()
        self._participants.clear()

    def _execute(self, sql: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql)


class Cast:
    """The step functions of one performance: they meet the troubles of its scenario, and note what they do."""

    def __init__(self, books: Books, scenario: Scenario, life: Life, answers: Mapping[str, Any], play: Play) -> None:
        self.books = books
        self.faults: list[str] = []
        self.late: list[Callable[[], Any]] = []
        self.trouble_at: int | None = None
        self._is_over = False
        self._scenario, self._life, self._answers, self._play = scenario, life, answers, play
        self._tried: set[tuple[str, str]] = set()
        self._units: dict[str, list[str]] = {}

    def rewrite(self, saga: Saga, leaf: Leaf) -> Leaf:
        """What stands in the place of *leaf*."""
        match leaf:
            case SagaStep() if leaf.local:
                undo = partial(self._locally, saga, leaf, Direction.UNDO) if leaf.undo else None
                return replace(leaf, do=partial(self._locally, saga, leaf, Direction.DO), undo=undo)
            case SagaStep():
                undo = partial(self._remotely, saga, leaf, Direction.UNDO) if leaf.undo else None
                query = partial(self._query, leaf) if leaf.query else None
                return replace(leaf, do=partial(self._remotely, saga, leaf, Direction.DO), undo=undo, query=query)
            case WaitFor() | SagaCommand() if leaf.take is not None:
                return replace(leaf, take=partial(self._take, saga, leaf))
            case Approval() if self._play is Play.ALL_STAND_INS and leaf.ask is not None:
                return replace(leaf, ask=lambda _: None)
            case _:
                return leaf

    def ended(self, saga: Saga, execution: SagaExecution) -> None:
        """What follows a saga's end."""
        self.books.note_locally(str(execution.pk), "ended")
        if self._is_first(str(execution.pk), "ended"):
            raise RuntimeError("the first follow-up fails")
        if self._play is not Play.ALL_STAND_INS:
            type(saga).ended(saga, execution)

    def meets(self, saga: Saga, leaf: Leaf, key: str) -> Trouble | None:
        """The trouble of a unit; notes where on the way it is met."""
        units = self._units.setdefault(f"{saga.name}.{leaf.name}", [])
        if key not in units:
            units.append(key)
        trouble = self._scenario.meets(saga.name, leaf.name, units.index(key) + 1)
        if trouble is not None and self.trouble_at is None:
            self.trouble_at = len(self._life.trace)
        return trouble

    def deliver_late(self) -> None:
        """Let every request arrive that is on its way still; nobody waits for an answer."""
        self._is_over = True
        while self.late:
            with suppress(ServiceError, StepRefused):
                self.late.pop(0)()

    def _is_first(self, key: str, what: str) -> bool:
        is_smooth = what == Direction.DO and not self._scenario.stutters
        if is_smooth or self._scenario == Scenario() or (key, what) in self._tried:
            return False
        self._tried.add((key, what))
        return True

    # ---- steps

    def _locally(self, saga: Saga, leaf: SagaStep, direction: Direction, call: StepCall) -> Any:
        self._life.must_live()
        if direction is Direction.DO and self.meets(saga, leaf, call.key):
            raise StepRefused(f"{leaf.name}_refused")
        self.books.note_locally(call.key, direction)
        if self._is_first(call.key, direction):
            raise RuntimeError("the first attempt fails")
        if self._play is Play.ALL_STAND_INS or leaf.name in self._answers:
            return self._answer(leaf, call) if direction is Direction.DO else None
        return _function(leaf, direction)(call)

    def _remotely(self, saga: Saga, leaf: SagaStep, direction: Direction, call: StepCall) -> Any:
        self._life.must_live()
        if self._is_over and leaf.query is not None:
            return (
                None  # a provider without tombstones is asked only after the longest that a request can be on its way
            )
        act = partial(self._do if direction is Direction.DO else self._undo, leaf, call)
        trouble = self.meets(saga, leaf, call.key) if direction is Direction.DO else None
        if trouble is Trouble.REFUSED:
            raise StepRefused(f"{leaf.name}_refused")
        if trouble is Trouble.LATE:
            self.late.append(act)
            raise ServiceTimeoutError("no answer")
        result = act()
        if trouble is Trouble.UNANSWERED or self._is_first(call.key, direction):
            raise ServiceTimeoutError("no answer")
        return result

    def _do(self, leaf: SagaStep, call: StepCall) -> Any:
        participant = self.books.participant(leaf.name)
        if self._play is not Play.OWN:
            participant.create(call.key)
            return self._answer(leaf, call)
        result = leaf.do(call)
        try:
            participant.create(call.key)
        except EffectCancelled:
            self.faults.append(f"{call.key} was done after its undo: its participant keeps no tombstone")
        return result

    def _undo(self, leaf: SagaStep, call: StepCall) -> None:
        if self._play is Play.OWN:
            _function(leaf, Direction.UNDO)(call)
        self.books.participant(leaf.name).cancel(call.key)

    def _query(self, leaf: SagaStep, call: StepCall) -> Found:
        self._life.must_live()
        if self._play is Play.OWN and leaf.query is not None:
            return leaf.query(call)
        is_there = self.books.participant(leaf.name).query(call.key) is KeyState.APPLIED
        return Found.PRESENT if is_there else Found.ABSENT

    def _take(self, saga: Saga, leaf: WaitFor | SagaCommand, call: StepCall, event: Any) -> Any:
        if self.meets(saga, leaf, call.key):
            raise StepRefused(f"{leaf.name}_refused")
        return leaf.take(call, event) if leaf.take else None

    def _answer(self, leaf: Leaf, call: StepCall) -> Any:
        answer = self._answers.get(leaf.name)
        return answer(call) if callable(answer) else answer


def _function(leaf: SagaStep, direction: Direction) -> Callable[[StepCall], Any]:
    function = leaf.undo if direction is Direction.UNDO else leaf.do
    if function is None:
        raise LookupError(f"the step {leaf.name!r} has no {direction}")
    return function
