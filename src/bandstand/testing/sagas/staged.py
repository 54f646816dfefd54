"""A saga told in a test by the real worker on the real tables; what is not ordered is done by the saga's own steps."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Self
from uuid import UUID

from bandstand.events import Event
from bandstand.sagas import Saga, SagaExecution, SagaStep, SagaStepLog, StepCall
from bandstand.sagas.encoding import decode, encode
from bandstand.sagas.protocol import State
from bandstand.sagas.runs import read_state
from bandstand.sagas.signals import SignalName, send
from bandstand.sagas.steps import Direction, Leaf
from bandstand.testing.sagas.life import Died, Life, Moment
from bandstand.testing.sagas.rewriting import declared, rewritten
from bandstand.testing.sagas.stage import SagaStage, saga_stage
from bandstand.testing.sagas.story import Story

__all__ = ["StagedStory", "on_stage"]


class StagedStory(Story):
    """The real worker, turned by hand; made by `on_stage`. `stage` is where it plays, `id` is that of the saga."""

    def __init__(self, saga: Saga, event: Any, stage: SagaStage) -> None:
        super().__init__(saga)
        self.stage = stage
        self._event = event
        self._id: UUID | None = None
        self._life = Life()

    @property
    def id(self) -> UUID:
        """The saga's id; it begins when it is first asked for."""
        while self._id is None:
            self._lives(self._begin)
        return self._id

    @property
    def row(self) -> SagaExecution:
        """The saga as it is stored."""
        return self.stage.row(self.id)

    @property
    def state(self) -> State:
        """What the engine keeps."""
        return read_state(self.row.state)

    @property
    def context(self) -> Any:
        """The context as steps see it."""
        return decode(encode(self.row.context_data), self.saga.context)

    @property
    def done(self) -> list[str]:
        """The steps that are done and not undone."""
        undone = self.undone
        return [unit for unit in self._settled(Direction.DO) if unit not in undone]

    @property
    def undone(self) -> list[str]:
        """The steps whose undo is confirmed, in this order."""
        return self._settled(Direction.UNDO)

    def crash(self, step: str, *, direction: str = "do", moment: str = "after_call") -> Self:
        """Order that the worker dies at the next passage of this crash point, and another takes over."""
        self._known(step)
        self._life.die_at(Moment(f"saga.{self.saga.name}.{step}.{direction}.{moment}"))
        return self

    def hear(self, step: str, said: Any = None) -> Self:
        """Let *step* hear the event it waits for."""
        return self._say(SignalName.HEARD, step, said.encoded() if isinstance(said, Event) else said)

    def approve(self, step: str, *, by: str = "somebody") -> Self:
        """Approve."""
        return self._say(SignalName.APPROVED, step, said_by=by)

    def reject(self, step: str, *, note: str = "", by: str = "somebody") -> Self:
        """Reject, for the reason *note*."""
        return self._say(SignalName.REJECTED, step, said_by=by, note=note)

    def cancel(self) -> Self:
        """Wish the saga undone."""
        self.runs()
        send(self.id, SignalName.CANCEL)
        return self

    # ---- the worker's part

    def _say(self, name: SignalName, step: str, payload: Any = None, **said: str) -> Self:
        self.runs()
        state = self.state
        if not any(position.unit == step and position.attempt for position in state.at):
            at = ", ".join(position.unit for position in state.at) or str(state.status)
            raise AssertionError(f"the saga does not wait for {step!r}; it is at {at}")
        send(self.id, name, step=step, payload=payload, **said)
        return self.runs()

    def _begin(self) -> None:
        self._id = self.stage.begin(self.saga, self._event)

    def _now(self) -> datetime:
        return self.stage.clock.now()

    def _drive(self) -> None:
        while not (self.id and self._lives(self.stage.drive)):
            pass

    def _pass_time(self, by: timedelta | None) -> None:
        if by is not None:
            self.stage.clock.advance(by)
        else:
            self.stage.wait_for(self.row.next_at)

    def _lives(self, work: Callable[[], Any]) -> bool:
        """Work; when the worker dies of it, False, and another takes over as the lease has just run out."""
        try:
            with self._life.lived():
                work()
        except Died:
            self._life.succeeded()
            self.stage.employ()
            self.stage.clock.advance(self.stage.worker.lease + timedelta(seconds=1))
            return False
        return True

    def _settled(self, direction: Direction) -> list[str]:
        lines = SagaStepLog.objects.filter(saga_id=self.id, direction=direction, outcome="ok", attempt__gt=0)
        return list(lines.order_by("id").values_list("step", flat=True))

    def rewrite(self, _: Saga, leaf: Leaf) -> Leaf:
        """*leaf*, which notes its calls and obeys orders."""
        if not isinstance(leaf, SagaStep):
            return leaf
        undo = partial(self._meet, Direction.UNDO, leaf.undo) if leaf.undo else None
        return replace(leaf, do=partial(self._meet, Direction.DO, leaf.do), undo=undo)

    def _meet(self, direction: Direction, act: Callable[[StepCall], Any], call: StepCall) -> Any:
        self._life.must_live()
        unit = call.key.partition(":")[2]
        self.calls.append(f"{direction} {unit}")
        order = self._order(unit, direction)
        return order.meet(call, act) if order is not None else act(call)


@contextmanager
def on_stage(saga: type[Saga] | Saga, event: Any, *, stage: SagaStage | None = None) -> Iterator[StagedStory]:
    """Tell the story of *saga* by the real worker, on a stage of its own unless one is given.

    with on_stage(Checkout, event) as story:
        story.when("reserve", refuses="no_stock").runs().then(status="compensated")
    """
    with ExitStack() as stack:
        found = declared(saga)
        story = StagedStory(found, event, stage or stack.enter_context(saga_stage()))
        stack.enter_context(rewritten([found], story.rewrite))
        yield story
