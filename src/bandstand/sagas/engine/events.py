"""What each event does to a saga."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from bandstand.sagas.engine.attempts import await_signal, begin, decide, is_promised, park, set_timer
from bandstand.sagas.engine.back import finish, turn_back, why_given_up
from bandstand.sagas.engine.forward import enter, enter_branches, enter_loop, follow
from bandstand.sagas.engine.members import (
    CALLING,
    CRASHED,
    DO,
    DUE,
    GIVEN_UP,
    HEARD_FAILED,
    HEARD_OK,
    HEARD_REFUSED,
    HEARD_UNKNOWN,
    LOCAL,
    OPEN,
    PAUSING,
    RESTING,
    SAID_ABSENT,
    SAID_BEGUN,
    SAID_OK,
    SAID_REFUSED,
    SAID_SKIPPED,
    TIMER,
    UNDO,
    UNDOING,
)
from bandstand.sagas.engine.move import END, OUTSIDE, PARENT, QUEUE, START, Hearing, Move
from bandstand.sagas.engine.patience import FORWARD_CAP, LONG, SLOW_CAP, stance
from bandstand.sagas.engine.verdicts import judge, settle_unit
from bandstand.sagas.plan import base_of, item_of
from bandstand.sagas.protocol import (
    Answered,
    Asked,
    Begun,
    CancelRequested,
    Decided,
    Due,
    EndingFailed,
    Event,
    Hurried,
    Log,
    Outcome,
    Position,
    Resolved,
    Result,
    Resumed,
    SagaStatus,
    State,
    TurnedBack,
    Withdrawn,
)
from bandstand.sagas.steps import Each, Leaf, Timer
from bandstand.sagas.transitions import Heard

if TYPE_CHECKING:
    from bandstand.sagas.definition import Saga

__all__ = ["admitted", "born", "step"]

_HEARD = {
    Outcome.OK: Heard.OK,
    Outcome.REFUSED: Heard.REFUSED,
    Outcome.FAILED: Heard.FAILED,
    Outcome.UNKNOWN: Heard.UNKNOWN,
}
_QUERIES_NEEDED = 2
"""So often must a participant without tombstones say that it knows nothing of a key."""


def born(
    saga: "Saga", now: datetime, *, parent: str = "", start_at: datetime | None = None, limited: bool = False
) -> State:
    """The state of a saga of which nothing was intended yet; `Begun` moves it on.

    One that starts later, or is held back by a limit, has all its time ahead once it begins.
    """
    if start_at is None and not limited:
        deadline = now + saga.deadline if saga.deadline else None
        return State(status=SagaStatus.RUNNING, deadline=deadline, parent=parent)
    unit = QUEUE if limited else START
    place = Position(unit=unit, phase=PAUSING, since=now, next_at=start_at or now)
    return State(status=SagaStatus.PENDING, at=(place,), parent=parent)


def admitted(state: State, now: datetime) -> State:
    """The state of a saga that its limit lets begin."""
    at = tuple(replace(one, unit=START, next_at=now) if one.unit == QUEUE else one for one in state.at)
    return replace(state, at=at)


def step(saga: "Saga", state: State, event: Event, now: datetime) -> Result:
    """Move *saga* on; the commands are in order.

    An event that fits no step at hand, such as a late answer, changes nothing.
    """
    move = Move(saga.plan, state, now)
    _HEAR[type(event)](move, event)
    if move.state.cancel_requested:
        _turn_back_at_rest(move)  # the call that a wish had to wait for may have left others that only wait
    return move.result()


# ---- outcomes


def _answered(move: Move, event: Answered) -> None:
    position = move.position(event.unit)
    if position is None or event.direction is not move.state.direction:
        return
    if position.unit == PARENT:
        move.remove(position)
        finish(move, SagaStatus.COMPLETED, "")
        return
    move.log(position, event.outcome, event.error)
    leaf = move.plan.leaf(position.unit)
    if leaf is not None:
        _weigh(move, position, leaf, event)
    else:
        move.amend(position, error=event.error)


def _weigh(move: Move, position: Position, leaf: Leaf, event: Answered) -> None:
    heard = _HEARD.get(event.outcome, HEARD_FAILED)
    absent = position.absent
    if event.outcome is SAID_ABSENT:
        absent += 1
        if move.state.direction is UNDO and absent >= _QUERIES_NEEDED:
            heard = HEARD_OK
    doubt = leaf.mode is not LOCAL and (position.doubt or event.doubtful)
    error = event.error or event.reason
    if position.next_at is not None and heard in (HEARD_FAILED, HEARD_UNKNOWN):
        # What it waits for could not be read: it waits on, and looks again.
        move.amend(position, error=event.error, next_at=min(position.next_at, move.now + SLOW_CAP))
        return
    held = stance(move.state, leaf, position.since, move.now)
    spent = leaf.retry.attempts is not None and position.attempt >= leaf.retry.attempts
    if spent and held is OPEN and heard in (HEARD_FAILED, HEARD_UNKNOWN):
        held = GIVEN_UP
    why = (SagaStatus.COMPENSATED, event.reason) if heard is HEARD_REFUSED else None
    if doubt is not position.doubt or absent != position.absent or error != position.error:
        position = move.amend(position, doubt=doubt, absent=absent, error=error)
    judge(move, position, leaf, Hearing(heard, held, why, event.jitter))


def _asked(move: Move, event: Asked) -> None:
    position = move.position(event.unit)
    leaf = move.plan.leaf(event.unit)
    if position is None or leaf is None or event.direction is not move.state.direction:
        return
    waiting = move.amend(await_signal(move, position, leaf), error="")
    if move.state.ending is not None and move.state.direction is DO:
        _due(move, waiting)


def _decided(move: Move, event: Decided) -> None:
    position = move.position(event.unit)
    spot = move.plan.spot(event.unit)
    if position is None or spot is None or position.attempt:
        return
    node, item = spot.node, item_of(event.unit)
    if event.value is False:
        move.log(position, SAID_SKIPPED)
        move.remove(position)
        follow(move, spot, item)
    elif isinstance(node, Timer):
        set_timer(move, position, event.value)
    elif isinstance(node, Leaf):
        begin(move, position, node)
    elif isinstance(node, Each):
        move.log(position, SAID_OK)
        move.remove(position)
        enter_loop(move, spot, tuple(event.value))
    else:
        move.remove(position)
        enter_branches(move, spot, item)


# ---- moments


def _begun(move: Move, _: Begun | None = None) -> None:
    move.commands.append(Log("", DO, 0, SAID_BEGUN))
    if move.plan.first is None:
        finish(move, SagaStatus.COMPLETED, "")
    else:
        enter(move, move.plan.first, None)


def _resumed(move: Move, _: Resumed) -> None:
    if not move.state.at:
        _begun(move)
        return
    for position in move.state.at:
        leaf = move.plan.leaf(position.unit)
        if not move.holds(position):
            continue  # the one before it has turned the saga back
        if position.phase in (CALLING, UNDOING) and leaf is not None:
            held = stance(move.state, leaf, position.since, move.now)
            judge(move, position, leaf, Hearing(CRASHED, held))
        elif _is_due(move, position) or leaf is None or _is_given_up(move, position, leaf):
            _due(move, position)


def _moment(move: Move, _: Due) -> None:
    for position in move.state.at:
        if _is_due(move, position) and move.holds(position):
            _due(move, position)


def _hurried(move: Move, _: Hurried) -> None:
    for position in move.state.at:
        leaf = move.plan.leaf(position.unit)
        is_fixed = (leaf is not None and is_promised(position, leaf)) or _is_settling(move, position, leaf)
        if position.next_at is not None and move.holds(position) and not is_fixed:
            _due(move, position)


def _is_settling(move: Move, position: Position, leaf: Leaf | None) -> bool:
    """Whether it waits for what may be on its way to arrive: that takes its time, whoever is in a hurry."""
    waits = position.unit in move.state.buried and (position.attempt == 0 or position.absent > 0)
    return waits and move.state.direction is UNDO and leaf is not None and leaf.settle_after is not None


def _is_due(move: Move, position: Position) -> bool:
    return position.next_at is not None and position.next_at <= move.now


def _is_given_up(move: Move, position: Position, leaf: Leaf) -> bool:
    going = position.phase is PAUSING
    return going and stance(move.state, leaf, position.since, move.now) is GIVEN_UP


def _due(move: Move, position: Position) -> None:
    """Go on with a step at hand that waits."""
    spot = move.plan.spot(position.unit)
    if position.unit in OUTSIDE:
        _due_outside(move, position)
    elif spot is None:
        park(move, position)
    elif not isinstance(spot.node, Leaf):
        if move.is_unwanted:
            move.remove(position)
            turn_back(move, why_given_up(move))
        else:
            decide(move, position)
    elif position.phase is PAUSING and not position.attempt and spot.node.decides:
        if stance(move.state, spot.node, position.since, move.now) is GIVEN_UP:
            judge(move, position, spot.node, Hearing(DUE, GIVEN_UP))
        else:
            decide(move, position)
    else:
        _moment_of(move, position, spot.node)


def _due_outside(move: Move, position: Position) -> None:
    """Go on before the first step or behind the last one. From the queue, only an admission moves a saga on."""
    if position.unit == START:
        move.remove(position, deadline=move.now + move.plan.patience if move.plan.patience else None)
        _begun(move)
    elif position.unit == END:
        move.remove(position)
        finish(move, move.state.ending or SagaStatus.COMPLETED, move.state.reason)
    elif position.unit == PARENT:
        move.amend(position, next_at=move.now + LONG)


def _moment_of(move: Move, position: Position, leaf: Leaf) -> None:
    held = stance(move.state, leaf, position.since, move.now)
    heard = DUE
    if position.phase is PAUSING and _is_due(move, position):
        if leaf.mode is TIMER and held is not GIVEN_UP:
            move.log(position, SAID_OK)
            heard = HEARD_OK
        elif _is_passed_over(move, position, leaf):
            move.log(position, SAID_SKIPPED)
            heard = HEARD_OK
    judge(move, position, leaf, Hearing(heard, held))


def _is_passed_over(move: Move, position: Position, leaf: Leaf) -> bool:
    """Whether an optional wait has lasted as long as it may."""
    is_over = leaf.timeout is not None and move.now >= position.since + leaf.timeout
    return leaf.optional and is_over and not move.is_unwanted


# ---- wishes


def _wished_back(move: Move, _: CancelRequested) -> None:
    if move.position(PARENT) is None:  # a child that is ready ends as its parent does
        move.change(cancel_requested=True)
        _turn_back_at_rest(move)


def _withdrawn(move: Move, event: Withdrawn) -> None:
    state = move.state
    if state.direction is UNDO or state.forward or move.position(END) is not None:
        return  # too late to matter: the next step will meet it
    move.change(cancel_requested=True, reason=state.reason or event.reason)
    _turn_back_at_rest(move)


def _turned_back(move: Move, event: TurnedBack) -> None:
    if move.state.direction is UNDO or move.state.ending is not None:
        return
    move.change(forced=True, forward=False, cancel_requested=True, reason=event.reason)
    _turn_back_at_rest(move)


def _turn_back_at_rest(move: Move) -> None:
    """Act on a wish at once only while no call is under way: its answer may be the pivot's."""
    state = move.state
    at_rest = state.at and not state.is_calling and (state.forced or move.position(END) is None)
    if at_rest and state.direction is DO and state.ending is None and not move.is_past_pivot:
        turn_back(move, why_given_up(move))


def _resolved(move: Move, event: Resolved) -> None:
    position = move.position(event.unit)
    leaf = move.plan.leaf(event.unit)
    if position is None or (leaf is None and not _is_skippable(move, position)):
        return
    move.log(position, event.outcome, event.reason)
    doubt = position.phase is CALLING or (position.doubt and leaf is not None and _is_doubted(event, position, leaf))
    held = stance(move.state, leaf, position.since, move.now) if leaf is not None else OPEN
    if event.outcome is SAID_REFUSED and leaf is not None:
        why = (SagaStatus.COMPENSATED, event.reason)
        # What goes on all the same is tried at once: whoever says so has waited long enough.
        judge(move, move.amend(position, doubt=doubt), leaf, Hearing(HEARD_REFUSED, held, why, jitter=0.0))
    else:
        is_buried = event.outcome is SAID_SKIPPED and (doubt or position.doubt)
        settle_unit(move, position, buried=is_buried and move.state.direction is DO)


def _is_doubted(event: Resolved, position: Position, leaf: Leaf) -> bool:
    """Whether something may be under way of which was not spoken: what was asked for, or a later attempt."""
    return leaf.uncertain or (event.attempt is not None and position.attempt > event.attempt)


def _is_skippable(move: Move, position: Position) -> bool:
    """Whether a step that this release does not know can be passed over: where it is known what comes next."""
    if position.unit in OUTSIDE or move.plan.spot(position.unit) is not None:
        return False
    return move.state.direction is UNDO or (len(move.state.at) == 1 and not _is_within_group(move))


def _is_within_group(move: Move) -> bool:
    """Whether the saga may stand within a group still."""
    spot = move.plan.spot(move.state.done[-1]) if move.state.done else None
    while spot is not None and spot.around is not None and spot.around.around is not None:
        spot = spot.around
    group = spot.around if spot is not None else None
    done = {base_of(unit) for unit in move.state.done}
    return group is not None and any(
        move.plan.spots[leaf.name].is_within(group) and leaf.name not in done for leaf in move.plan.leaves
    )


def _not_ended(move: Move, event: EndingFailed) -> None:
    """Back to a live state of which nothing but the end is left."""
    undo = move.state.direction is UNDO
    phase = RESTING if undo else PAUSING
    until = move.now + FORWARD_CAP * event.jitter
    move.add(Position(unit=END, phase=phase, since=move.now, next_at=until, error=event.error))


_HEAR: dict[type, Callable[[Move, Any], None]] = {
    Begun: _begun,
    Resumed: _resumed,
    Due: _moment,
    Hurried: _hurried,
    CancelRequested: _wished_back,
    TurnedBack: _turned_back,
    Withdrawn: _withdrawn,
    Answered: _answered,
    Asked: _asked,
    Decided: _decided,
    Resolved: _resolved,
    EndingFailed: _not_ended,
}
