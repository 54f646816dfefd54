"""What a step returns, and what becomes of it: a change of the context, and a line of history."""

from dataclasses import dataclass
from typing import Any

from bandstand.sagas.encoding import changes_text, decode, merged
from bandstand.sagas.plan import item_of
from bandstand.sagas.runs import Run
from bandstand.sagas.steps import Each

__all__ = ["Result", "beginning_of", "result_of"]


@dataclass(frozen=True, slots=True)
class Result:
    """The context that follows, and what the history keeps of the change; both JSON."""

    context: str
    output: str


def beginning_of(run: Run) -> str:
    """What the history keeps of the context with which a saga begins."""
    shape = run.saga.context
    return run.context if shape is None else changes_text(decode(run.context, shape), shape)


def result_of(run: Run, unit: str, text: str, changes: Any) -> Result | None:
    """Merge what *unit* returned into the context *text*; None when it changes nothing.

    Raises TypeError or ValueError for what does not fit the context.
    """
    if changes is None:
        return None
    shape = run.saga.context
    fitting = _collected(run, unit, text, changes)
    return Result(merged(text, fitting, shape), changes_text(fitting, shape))


def _collected(run: Run, unit: str, text: str, changes: Any) -> Any:
    """Within a loop that collects: put it beside what the steps of the other items have returned."""
    spot, item = run.saga.plan.spot(unit), item_of(unit)
    around = spot.each if spot is not None else None
    if item is None or around is None or not isinstance(around.node, Each) or not around.node.collect:
        return changes
    field = around.node.collect
    held = decode(text, run.saga.context)
    collected = held.get(field) if isinstance(held, dict) else getattr(held, field)
    return {field: {**(collected or {}), item: changes}}
