"""What may be done to a saga where it stands, and what follows; refusals say what to do instead."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from bandstand.errors import Conflict, ValidationFailed
from bandstand.sagas.engine.attempts import is_promised
from bandstand.sagas.engine.move import QUEUE
from bandstand.sagas.operations.actions import NOTED, OUTCOMES, Action, Deed
from bandstand.sagas.operations.case import Case
from bandstand.sagas.operations.reasons import why
from bandstand.sagas.plan import passes_pivot
from bandstand.sagas.protocol import Outcome, Position
from bandstand.sagas.signals import SignalName
from bandstand.sagas.steps import Approval
from bandstand.sagas.transitions import Phase

__all__ = ["Permitted", "judge", "staying", "to_approve"]

_LONGEST_NAME = 150


class Permitted(NamedTuple):
    """The signal that carries a deed out, and what it will do."""

    name: SignalName
    says: str
    step: str = ""
    payload: bytes = b""


def judge(case: Case, deed: Deed) -> Permitted:
    """Whether *deed* can be done now. Raises ValidationFailed for what is missing, Conflict for what cannot be."""
    if deed.action in NOTED and not deed.note.strip():
        raise ValidationFailed(f"say why with --note: `{deed.action}` stands in the saga's history")
    if not deed.by.strip() or len(deed.by) > _LONGEST_NAME:
        raise ValidationFailed(f"say who does it, in at most {_LONGEST_NAME} characters")
    if not case.is_live and deed.action is not Action.ANNOTATE:
        raise Conflict(f"it has ended {case.row.status}: only `annotate` is possible")
    return _RULES[deed.action](case, deed)


def staying(case: Case) -> list[str]:
    """The done steps that have no undo and no reason why they need none: their effects stay when the saga is undone."""
    found = []
    for unit in case.state.done:
        leaf = case.leaf(unit)
        if leaf is None or not (leaf.is_undone or leaf.no_undo):
            found.append(unit)
    return found


def _retry(case: Case, _: Deed) -> Permitted:
    if any(position.unit == QUEUE for position in case.state.at):
        raise Conflict(f"a retry begins nothing that is held back: it is {why(case.row, case.now)}")
    promised = [unit for unit, at in case.at_hand.items() if _is_promised(case, unit, at)]
    if promised and len(promised) == len(case.at_hand):
        raise Conflict(f"there is nothing to try again: it {why(case.row, case.now)}")
    return Permitted(SignalName.RETRY, "its next attempt is due now")


def _is_promised(case: Case, unit: str, position: Position) -> bool:
    leaf = case.leaf(unit)
    return leaf is not None and is_promised(position, leaf)


def _skip(case: Case, deed: Deed) -> Permitted:
    position = _chosen(case, deed)
    payload = _fixed(case, deed.step, Outcome.SKIPPED)
    if case.is_undoing:
        says = f"{deed.step} counts as undone: if it happened, its effect stays"
        return Permitted(SignalName.SKIP, says, deed.step, payload)
    leaf = case.leaf(deed.step)
    says = f"{deed.step} counts as done, though nothing is known of it; "
    says += "it is undone if the saga turns back" if position.doubt else "the saga goes on behind it"
    if leaf is not None and passes_pivot(leaf):
        says += "; there is no way back any more"
    return Permitted(SignalName.SKIP, says, deed.step, payload)


def _resolve(case: Case, deed: Deed) -> Permitted:
    _chosen(case, deed)
    fitting = OUTCOMES[2:] if case.is_undoing else OUTCOMES[:2]
    if deed.outcome not in fitting:
        way = "back" if case.is_undoing else "forward"
        raise ValidationFailed(f"on the way {way} say --outcome {' or '.join(fitting)}")
    if deed.outcome == "undone":
        return Permitted(SignalName.RESOLVE, f"{deed.step} is undone", deed.step, _fixed(case, deed.step, Outcome.OK))
    if deed.outcome == "happened":
        says = f"{deed.step} is done; what it would have returned is not in the context"
        return Permitted(SignalName.RESOLVE, says, deed.step, _fixed(case, deed.step, Outcome.OK))
    follows = "it is tried again, since the pivot is passed" if case.is_past_pivot else "the saga turns back"
    says = f"{deed.step} has not happened: {follows}"
    return Permitted(SignalName.RESOLVE, says, deed.step, _fixed(case, deed.step, Outcome.REFUSED))


def _compensate(case: Case, deed: Deed) -> Permitted:
    _forward(case)
    stays = staying(case)
    if stays and not deed.force:
        raise Conflict(
            f"{', '.join(stays)}: done and without an undo, so that the effects stay; --force undoes the others"
        )
    says = "everything is undone once the calls under way are answered"
    if stays:
        says += f"; these stay: {', '.join(stays)}"
    return Permitted(SignalName.COMPENSATE, says, payload=_form({"force": deed.force}))


def _cancel(case: Case, _: Deed) -> Permitted:
    _forward(case)
    if case.is_past_pivot:
        raise Conflict("it has passed its pivot, where a cancel changes nothing; `compensate` undoes it all the same")
    return Permitted(SignalName.CANCEL, "it will turn back, unless a call under way passes the pivot first")


def _annotate(_: Case, deed: Deed) -> Permitted:
    return Permitted(SignalName.ANNOTATE, "noted", deed.step)


def _approve(case: Case, deed: Deed) -> Permitted:
    unit = _approval(case, deed)
    return Permitted(SignalName.APPROVED, f"{unit} is approved", unit)


def _reject(case: Case, deed: Deed) -> Permitted:
    unit = _approval(case, deed)
    follows = "it waits on, since the pivot is passed" if case.is_past_pivot else "the saga turns back"
    return Permitted(SignalName.REJECTED, f"{unit} is rejected: {follows}", unit)


_RULES: Mapping[Action, Callable[[Case, Deed], Permitted]] = {
    Action.RETRY: _retry,
    Action.SKIP: _skip,
    Action.COMPENSATE: _compensate,
    Action.CANCEL: _cancel,
    Action.RESOLVE: _resolve,
    Action.ANNOTATE: _annotate,
    Action.APPROVE: _approve,
    Action.REJECT: _reject,
}


def _chosen(case: Case, deed: Deed) -> Position:
    at_hand = case.at_hand
    offered = f"at hand: {', '.join(at_hand) or 'none'}"
    if not deed.step:
        raise ValidationFailed(f"name the step with --step; {offered}")
    if deed.step not in at_hand:
        raise Conflict(f"{deed.step!r} is not at hand; {offered}")
    if not case.is_known(deed.step) and not case.is_undoing:
        raise Conflict(
            f"this release has no step {deed.step!r}, so nothing follows it: deploy one that has, or compensate"
        )
    return at_hand[deed.step]


def _approval(case: Case, deed: Deed) -> str:
    waiting = to_approve(case)
    if deed.step in waiting:
        return deed.step
    if not deed.step and len(waiting) == 1:
        return waiting[0]
    if deed.step or not waiting:
        raise Conflict(f"no approval {deed.step} waits here: it {why(case.row, case.now)}".replace("  ", " "))
    raise ValidationFailed(f"name the approval with --step: {', '.join(waiting)}")


def to_approve(case: Case) -> list[str]:
    """The approvals that wait for a person now."""
    return [unit for unit, at in case.at_hand.items() if _waits_for_approval(case, unit, at)]


def _waits_for_approval(case: Case, unit: str, position: Position) -> bool:
    waits = position.phase is Phase.PAUSING and position.attempt > 0 and not case.is_turning_back
    return waits and isinstance(case.leaf(unit), Approval)


def _forward(case: Case) -> None:
    if case.is_turning_back:
        raise Conflict(f"it is turning back already: {why(case.row, case.now)}")


def _fixed(case: Case, unit: str, outcome: Outcome) -> bytes:
    """The outcome, and of what it is said: on the other way it would mean the opposite, of later attempts nothing."""
    position = case.at_hand[unit]
    over = position.attempt - (position.phase is Phase.CALLING)
    return _form({"outcome": outcome.value, "direction": case.state.direction.value, "attempt": over})


def _form(value: Mapping[str, object]) -> bytes:
    return msgspec.json.encode(value)
