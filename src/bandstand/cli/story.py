"""An order's story for people: what happened when, counted from the moment it was placed."""

from collections.abc import Iterator
from datetime import datetime

from bandstand.chaos.audit import Facts

__all__ = ["story_of"]


def story_of(facts: Facts, order_id: str) -> list[str]:
    """History, saga steps and charges of an order, one line each, by time."""
    moments = sorted((datetime.fromisoformat(at), text) for at, text in _moments(facts, order_id))
    began = moments[0][0] if moments else None
    return [f"{f'+{(at - began).total_seconds():.3f}':>8} s  {text}" for at, text in moments if began]


def _moments(facts: Facts, order_id: str) -> Iterator[tuple[str, str]]:
    for entry in facts.history_of_order.get(order_id, []):
        yield entry.at, f"order {entry.status}"
    saga = facts.saga_of_order.get(order_id)
    for step in facts.steps_of_saga.get(saga.saga_id, []) if saga else []:
        if step.outcome != "intent":
            undone = " (undo)" if step.direction == "undo" else ""
            again = f", attempt {step.attempt}" if step.attempt > 1 else ""
            yield step.at, f"  {step.step}{undone} {step.outcome}{again}"
