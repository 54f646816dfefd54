"""A saga told in a test without a database: the engine alone, with ordered outcomes in the place of step functions."""

from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from uuid import UUID

from msgspec.structs import replace

from bandstand.events import Event
from bandstand.sagas import Saga, engine
from bandstand.sagas.asking import hear
from bandstand.sagas.calls import answer_of, call_of
from bandstand.sagas.deciding import decide
from bandstand.sagas.encoding import decode, encode
from bandstand.sagas.plan import base_of
from bandstand.sagas.protocol import (
    Answered,
    Asked,
    Begun,
    Call,
    CancelRequested,
    Command,
    Decide,
    Due,
    Log,
    Outcome,
    Position,
    Resumed,
    State,
)
from bandstand.sagas.protocol import Event as Happening
from bandstand.sagas.results import result_of
from bandstand.sagas.runs import Run
from bandstand.sagas.steps import ChildSaga, Direction, Mode
from bandstand.testing.sagas.orders import Order
from bandstand.testing.sagas.rewriting import declared
from bandstand.testing.sagas.story import Story

__all__ = ["Stepper", "stepper"]

_START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
_ID = UUID("019b7ad0-0000-7000-8000-000000000000")
_WILLING = Order()


class _Crash(Exception):
    """The worker dies within a wave."""


class Stepper(Story):
    """The engine alone. Steps without an order are done and return nothing; timers and waits need no database."""

    def __init__(self, saga: Saga, event: Any) -> None:
        super().__init__(saga)
        business_key, first = saga.begin(event)
        self.lines: list[Log] = []
        self._moment = _START
        self._crashes: set[tuple[str, str, str]] = set()
        self._pending: list[Call] = []
        self._begun = False
        self._run = Run(
            id=_ID,
            saga=saga,
            business_key=str(business_key),
            epoch=1,
            state=engine.born(saga, _START),
            context=encode(first, saga.context),
            correlation_id="",
            traceparent="",
            created_at=_START,
        )

    @property
    def state(self) -> State:
        """What the engine keeps."""
        return self._run.state

    @property
    def context(self) -> Any:
        """The context as steps see it."""
        return decode(self._run.context, self.saga.context)

    @property
    def done(self) -> list[str]:
        """The steps that are done and not undone."""
        return [unit for unit in self._settled(Direction.DO) if unit not in self.undone]

    @property
    def undone(self) -> list[str]:
        """The steps whose undo is confirmed, in this order."""
        return self._settled(Direction.UNDO)

    def crash(self, step: str, *, direction: str = "do", moment: str = "after_call") -> Self:
        """Order that the worker dies at the next passage of this crash point, and another takes over."""
        self._known(step)
        self._crashes.add((step, direction, moment))
        return self

    def hear(self, step: str, said: Any = None) -> Self:
        """Let *step* hear the event it waits for; a child saga is heard by a mapping, its context."""
        position = self._waiting(step)
        leaf = self.saga.plan.leaf(step)
        payload = said.encoded().decode() if isinstance(said, Event) else ""
        if leaf is not None and (said is not None or isinstance(leaf, ChildSaga)):
            made = call_of(self._run, position.unit, position.attempt, self._run.context)
            told = encode({"status": "completed", "reason": "", "context": said or {}})
            return self._answer(position.unit, lambda: hear(leaf, made, payload or told))
        return self._answer(position.unit, lambda: None)

    def approve(self, step: str, *, by: str = "somebody") -> Self:  # noqa: ARG002 - the engine asks for no name
        """Approve."""
        self._waiting(step)
        return self._answer(step, lambda: None)

    def reject(self, step: str, *, note: str = "", by: str = "somebody") -> Self:
        """Reject, for the reason *note*."""
        self._waiting(step)
        refused = Answered(step, Direction.DO, Outcome.REFUSED, reason=note or "rejected", error=f"by {by}")
        self._wave(refused)
        return self.runs()

    def cancel(self) -> Self:
        """Wish the saga undone."""
        self._begin()
        self._wave(CancelRequested())
        return self

    # ---- the worker's part

    def _now(self) -> datetime:
        return self._moment

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._wave(Begun())

    def _drive(self) -> None:
        """Make all calls, and whatever is due."""
        self._begin()
        while True:
            while self._pending:
                self._make(self._pending.pop(0))
            moment = self.state.next_at
            if moment is None or moment > self._moment or self.state.status.is_final:
                return
            before = self.state
            self._wave(Due())
            if before == self.state:
                return

    def _pass_time(self, by: timedelta | None) -> None:
        if by is None:
            self._moment = max(self._moment, self.state.next_at or self._moment)
        else:
            self._moment += by

    def _make(self, call: Call) -> None:
        """One remote call."""
        if self._dies(call, "after_intent"):
            self._succeed()
            return
        answered, changes = self._attempt(call)
        if self._dies(call, "after_call"):
            self._succeed()
            return
        self._wave(answered, changes)
        if self._dies(call, "after_log"):
            self._succeed()

    def _attempt(self, call: Call) -> tuple[Answered, Any]:
        self.calls.append(f"{call.direction} {call.unit}")
        made = call_of(self._run, call.unit, call.attempt, self._run.context)
        order = self._order(call.unit, call.direction) or _WILLING
        return self._outcome(call.unit, call.direction, lambda: order.meet(made), local=call.leaf.mode is not Mode.CALL)

    def _outcome(self, unit: str, direction: Direction, act: Any, *, local: bool) -> tuple[Answered, Any]:
        try:
            return Answered(unit, direction, Outcome.OK), act()
        except Exception as error:  # noqa: BLE001 - as in the worker: a fault of the step is an outcome
            return replace(answer_of(error, unit, direction, local=local), jitter=1.0), None

    def _answer(self, unit: str, act: Any) -> Self:
        self._wave(*self._outcome(unit, self.state.direction, act, local=True))
        return self.runs()

    def _wave(self, event: Happening, changes: Any = None) -> None:
        """Move the saga on as one transaction does: all of it, or nothing when the worker dies within."""
        before = (self._run.state, self._run.context, list(self.lines), list(self._pending))
        try:
            self._take_in(event, changes)
        except _Crash:
            self._run.state, self._run.context, self.lines, self._pending = before
            self._succeed()

    def _take_in(self, event: Happening, changes: Any) -> None:
        queue: deque[tuple[Happening, Any]] = deque([(event, changes)])
        while queue:
            happened, returned = queue.popleft()
            self._merge(happened, returned)
            self._run.state, commands = engine.step(self.saga, self._run.state, happened, self._moment)
            for command in commands:
                queue.extend(self._obey(command))

    def _merge(self, happened: Happening, returned: Any) -> None:
        is_done = isinstance(happened, Answered) and happened.direction is Direction.DO
        if isinstance(happened, Answered) and is_done and happened.outcome is Outcome.OK:
            result = result_of(self._run, happened.unit, self._run.context, returned)
            self._run.context = result.context if result is not None else self._run.context

    def _obey(self, command: Command) -> Iterable[tuple[Happening, Any]]:
        match command:
            case Log():
                self.lines.append(command)
            case Decide():
                yield decide(self._run, command.unit, self._run.context, self._moment), None
            case Call():
                self._live_on(command, "before_intent")
                if command.leaf.mode is Mode.CALL:
                    self._pending.append(command)
                else:
                    yield self._within(command)

    def _within(self, call: Call) -> tuple[Happening, Any]:
        """A local step, or what a step has to ask."""
        self._live_on(call, "after_intent")
        answered, changes = self._attempt(call)
        self._live_on(call, "after_call")
        if call.leaf.mode is Mode.ASK and answered.outcome is Outcome.OK:
            return Asked(call.unit, call.direction), None
        return answered, changes

    def _live_on(self, call: Call, moment: str) -> None:
        if self._dies(call, moment):
            raise _Crash

    def _dies(self, call: Call, moment: str) -> bool:
        crash = (base_of(call.unit), str(call.direction), moment)
        is_now = crash in self._crashes
        self._crashes.discard(crash)
        return is_now

    def _succeed(self) -> None:
        """Another worker takes over what is durable."""
        self._pending.clear()
        self._wave(Resumed())

    def _waiting(self, step: str) -> Position:
        self.runs()
        for position in self.state.at:
            if position.unit == step and position.attempt:
                return position
        at = ", ".join(position.unit for position in self.state.at) or str(self.state.status)
        raise AssertionError(f"the saga does not wait for {step!r}; it is at {at}")

    def _settled(self, direction: Direction) -> list[str]:
        ok = [line for line in self.lines if line.attempt and line.outcome is Outcome.OK]
        return [line.unit for line in ok if line.direction is direction]


def stepper(saga: type[Saga] | Saga, event: Any) -> Stepper:
    """Tell the story of *saga*, begun by *event*, on the engine alone.

    stepper(Checkout, event).when("reserve", refuses="no_stock").runs().then(status="compensated", undone=[])
    """
    return Stepper(declared(saga), event)
