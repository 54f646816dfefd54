"""What a saga reads from its context before a step begins: whether it is needed, for which items, until when."""

import re
from datetime import datetime, timedelta
from typing import Any

from bandstand.database.texts import reason_of
from bandstand.sagas.encoding import decode
from bandstand.sagas.protocol import Answered, Decided, Outcome
from bandstand.sagas.runs import Run
from bandstand.sagas.steps import Direction, Each, Node, Timer

__all__ = ["decide"]

_KEY = re.compile(r"[A-Za-z0-9._~-]{1,100}")  # it is a part of the idempotency key, which stands in paths


def decide(run: Run, unit: str, text: str, now: datetime) -> Decided | Answered:
    """Answer what the engine wants to know of *unit*; what the saga's own function raises is a failed attempt."""
    spot = run.saga.plan.spot(unit)
    if spot is None:
        return Answered(unit, Direction.DO, Outcome.FAILED, error="this release has no such step")
    try:
        return Decided(unit, _decision(spot.node, decode(text, run.saga.context), now))
    except Exception as error:  # noqa: BLE001 - a fault of the saga's code: visible, and tried again
        return Answered(unit, Direction.DO, Outcome.FAILED, error=reason_of(error))


def _decision(node: Node, held: Any, now: datetime) -> Any:
    if node.when is not None and not node.when(held):
        return False
    if isinstance(node, Each):
        return _keys(node, held)
    if isinstance(node, Timer):
        return _moment(node, held, now)
    return True


def _keys(node: Each, held: Any) -> tuple[str, ...]:
    keys = tuple(str(node.key(item)) for item in node.over(held))
    odd = next((key for key in keys if not _KEY.fullmatch(key)), None)
    if odd is not None:
        raise ValueError(f"{odd!r} is no key of an item: 1 to 100 letters, digits or any of . _ ~ -")
    if len(set(keys)) != len(keys):
        raise ValueError(f"two items of {node.name!r} have the same key")
    return keys


def _moment(node: Timer, held: Any, now: datetime) -> datetime:
    until = node.until if isinstance(node.until, timedelta) else node.until(held)
    moment = now + until if isinstance(until, timedelta) else until
    if moment.tzinfo is None:
        raise ValueError(f"{node.name!r} waits for {moment}, which names no time zone")
    return moment
