"""Steps that ask now and hear later: commands over the bus, child sagas, approvals, awaited events."""

from typing import Any

import msgspec

from bandstand.sagas.protocol import Call, SagaStatus
from bandstand.sagas.runs import Run
from bandstand.sagas.steps import (
    Approval,
    ChildSaga,
    Direction,
    Leaf,
    SagaCommand,
    StepCall,
    StepRefused,
    WaitFor,
)

__all__ = ["ask", "hear"]


def ask(run: Run, leaf: Leaf, call: Call, made: StepCall) -> None:
    """Ask what a step has to ask, within the transaction of its log. What is raised asks nothing."""
    match leaf:
        case SagaCommand():
            _publish(leaf, call, made)
        case ChildSaga():
            _ask_child(run, leaf, call, made)
        case Approval() if leaf.ask is not None:
            leaf.ask(made)


def hear(leaf: Leaf, made: StepCall, payload: str) -> Any:
    """Read what a step waited for: returns what it changes in the context. Raises StepRefused for a definite no."""
    match leaf:
        case WaitFor():
            return leaf.take(made, leaf.event.decoded(payload.encode())) if leaf.take else None
        case SagaCommand():
            return leaf.take(made, leaf.reply.decoded(payload.encode())) if leaf.take else None
        case ChildSaga():
            return _hear_child(leaf, made, msgspec.json.decode(payload))
        case _:
            return None


def _publish(leaf: SagaCommand, call: Call, made: StepCall) -> None:
    from bandstand.events import publish  # noqa: PLC0415 - a saga without commands needs no bus

    wording = leaf.recall if call.direction is Direction.UNDO else leaf.send
    if wording is None:
        raise LookupError(f"the step {leaf.name!r} has no recall")
    publish(wording(made))


def _ask_child(run: Run, leaf: ChildSaga, call: Call, made: StepCall) -> None:
    from bandstand.sagas import children  # noqa: PLC0415 - a child is started as its parent was: that needs this module

    unit = run.state.begun_as(call.unit)
    if call.direction is Direction.UNDO:
        children.undo(run.id, unit)
    else:
        children.start(run, leaf, unit, made)


def _hear_child(leaf: ChildSaga, made: StepCall, told: dict[str, Any]) -> Any:
    if told["status"] in (SagaStatus.COMPENSATED, SagaStatus.CANCELLED):
        raise StepRefused(told["reason"] or str(told["status"]))
    return leaf.take(made, told["context"]) if leaf.take else None
