"""The saga engine: a pure function from state, event and time to the next state and what is to be done.

Nothing here reads a clock, a database or a network; runner, tests and simulators drive the same function. What keeps
a saga right under crashes and lost replies lies in four mechanisms, two of which are visible here: the intent of a
call is a command of its own and precedes the call, and an outcome that is not definite is `unknown`, never `failed`.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from bandstand.sagas.definition import Direction, Saga, StepKind
from bandstand.sagas.protocol import (
    LIVE,
    Answered,
    Begun,
    Call,
    CancelRequested,
    Command,
    Due,
    End,
    EndingFailed,
    Event,
    Log,
    Outcome,
    Result,
    Resumed,
    SagaStatus,
    State,
    Wait,
    Withdrawn,
)

__all__ = [
    "LIVE",
    "Answered",
    "Begun",
    "Call",
    "CancelRequested",
    "Command",
    "Due",
    "End",
    "EndingFailed",
    "Event",
    "Log",
    "Outcome",
    "Result",
    "Resumed",
    "SagaStatus",
    "State",
    "Wait",
    "Withdrawn",
    "born",
    "budget",
    "patience",
    "step",
]

FORWARD_CAP = timedelta(seconds=5)
SLOW_CAP = timedelta(seconds=60)
BASE = timedelta(milliseconds=100)
PARK_AFTER = 10
"""An undo that has failed so often is shown as `compensation_failed`."""


def born(saga: Saga, now: datetime) -> State:
    """The state of a saga of which nothing was intended yet; `Begun` moves it on."""
    deadline = now + saga.deadline if saga.deadline else None
    return State(status=SagaStatus.RUNNING, step=saga.steps[0].name, since=now, deadline=deadline)


def step(saga: Saga, state: State, event: Event, now: datetime) -> Result:
    """Move *saga* on. The commands are in order; the last one is a Call, a Wait or an End."""
    match event:
        case Answered():
            return _answered(saga, state, event, now)
        case CancelRequested() | Withdrawn():
            return _wished_back(saga, state, event, now)
        case EndingFailed():
            return _not_ended(state, event, now)
        case Resumed() if state.next_at is not None and state.next_at > now and not _given_up(saga, state, now):
            return state, (Wait(state.next_at),)
        case _:
            return _again(saga, state, now)


# ---- outcomes


def _answered(saga: Saga, state: State, event: Answered, now: datetime) -> Result:
    log = Log(state.step, state.direction, state.attempt, event.outcome, event.error)
    if state.direction is Direction.UNDO:
        moved, commands = _undo_answered(saga, state, event, now)
    elif event.outcome is Outcome.OK:
        moved, commands = _done(saga, state, now)
    elif event.outcome is Outcome.REFUSED and not _only_forward(saga, state):
        # A clean no to the only attempt leaves nothing to undo. Behind an earlier attempt of unknown outcome the no may
        # speak of the repeat alone, while the first one is still on its way: then its key is buried as well.
        doubt = _doubt(saga, state) if state.attempt > 1 or event.doubtful else ()
        moved, commands = _turn_back(saga, state, doubt, (SagaStatus.COMPENSATED, event.reason), now)
    else:
        moved, commands = _not_done(saga, state, event, now)
    return moved, (log, *commands)


def _done(saga: Saga, state: State, now: datetime) -> Result:
    done = replace(state, done=(*state.done, state.step), error="")
    following = saga.after(state.step)
    if following is None:
        return _finish(done, SagaStatus.COMPLETED, "")
    ahead = replace(done, step=following.name, attempt=0, since=now, next_at=None)
    if _given_up(saga, ahead, now):
        return _turn_back(saga, ahead, (), _why_given_up(ahead), now)
    return _again(saga, ahead, now)


def _not_done(saga: Saga, state: State, event: Answered, now: datetime) -> Result:
    error = event.error or event.reason
    if _given_up(saga, state, now):
        return _turn_back(saga, replace(state, error=error), _doubt(saga, state), _why_given_up(state), now)
    forward = _only_forward(saga, state)
    slow = forward and event.outcome is Outcome.REFUSED  # only a person can mend a no behind the pivot
    until = now + _pause(state, state.attempt, SLOW_CAP if slow else FORWARD_CAP, event.jitter)
    if not forward:
        until = min(until, patience(saga, state))
    return replace(state, status=SagaStatus.WAITING, next_at=until, error=error), (Wait(until),)


def _undo_answered(saga: Saga, state: State, event: Answered, now: datetime) -> Result:
    if event.outcome is Outcome.OK:
        left = tuple(name for name in state.done if name != state.step)
        return _undo_next(saga, replace(state, status=SagaStatus.COMPENSATING, done=left, error=""), now)
    parked = state.attempt >= PARK_AFTER
    status = SagaStatus.COMPENSATION_FAILED if parked else SagaStatus.COMPENSATING
    until = now + _pause(state, state.attempt, SLOW_CAP, event.jitter)
    return replace(state, status=status, next_at=until, error=event.error or event.reason), (Wait(until),)


# ---- moments


def _again(saga: Saga, state: State, now: datetime) -> Result:
    """Make the call at hand (once more), unless the saga has to turn back or only its end is left."""
    if state.direction is Direction.UNDO and state.step not in state.done:
        return _undo_next(saga, state, now)
    if state.direction is Direction.DO and state.step in state.done:
        return _done(saga, replace(state, done=tuple(name for name in state.done if name != state.step)), now)
    at_hand = saga.step(state.step)
    if at_hand is None:
        return _park_unknown(state, now)
    if state.direction is Direction.DO and _given_up(saga, state, now):
        return _turn_back(saga, state, _doubt(saga, state), _why_given_up(state), now)
    status = state.status if state.direction is Direction.UNDO else SagaStatus.RUNNING
    moved = replace(state, status=status, attempt=state.attempt + 1, next_at=None)
    return moved, (
        Log(moved.step, moved.direction, moved.attempt, Outcome.INTENT),
        Call(at_hand, moved.direction, moved.attempt),
    )


def _not_ended(state: State, event: EndingFailed, now: datetime) -> Result:
    """Back to a live state from which `_again` finds nothing but the end."""
    until = now + FORWARD_CAP * event.jitter
    status = SagaStatus.WAITING if state.direction is Direction.DO else SagaStatus.COMPENSATING
    return replace(state, status=status, next_at=until, error=event.error), (Wait(until),)


def _wished_back(saga: Saga, state: State, event: CancelRequested | Withdrawn, now: datetime) -> Result:
    """Remember the wish; act on it at once only while no call is under way."""
    at_rest = (Wait(state.next_at),) if state.next_at is not None else ()
    if isinstance(event, Withdrawn):
        if state.direction is Direction.UNDO or _only_forward(saga, state):
            return state, at_rest  # too late to matter: the next step will meet it
        state = replace(state, reason=state.reason or event.reason)
    wished = replace(state, cancel_requested=True)
    if at_rest and _given_up(saga, wished, now):
        return _again(saga, wished, now)
    return wished, at_rest


def _park_unknown(state: State, now: datetime) -> Result:
    """Keep a saga whose step this release does not know, visibly, for a release that does."""
    undo = state.direction is Direction.UNDO
    until = now + SLOW_CAP
    parked = replace(
        state,
        status=SagaStatus.COMPENSATION_FAILED if undo else SagaStatus.WAITING,
        next_at=until,
        error=f"this release has no step {state.step!r}",
    )
    return parked, (Wait(until),)


# ---- turning back


def _turn_back(saga: Saga, state: State, doubt: Iterable[str], ending: tuple[SagaStatus, str], now: datetime) -> Result:
    status, reason = ending
    back = replace(
        state,
        status=SagaStatus.COMPENSATING,
        direction=Direction.UNDO,
        done=(*state.done, *doubt),
        ending=status,
        reason=reason,
        attempt=0,
    )
    return _undo_next(saga, back, now)


def _doubt(saga: Saga, state: State) -> tuple[str, ...]:
    """The step at hand, if it may have happened. A local one is definite: it happened with its log or not at all."""
    at_hand = saga.step(state.step)
    certain = state.attempt == 0 or (at_hand is not None and at_hand.local)
    return () if certain else (state.step,)


def _undo_next(saga: Saga, state: State, now: datetime) -> Result:
    """Undo the latest step that is not undone; steps that need no undo are passed over."""
    left = list(state.done)
    while left:
        latest = saga.step(left[-1])
        if latest is None or latest.undo is not None:
            return _again(saga, replace(state, step=left[-1], attempt=0, since=now, done=tuple(left)), now)
        left.pop()
    return _finish(replace(state, done=()), state.ending or SagaStatus.CANCELLED, state.reason)


def _finish(state: State, status: SagaStatus, reason: str) -> Result:
    return replace(state, status=status, reason=reason, next_at=None, error=""), (End(status, reason),)


# ---- patience


def _only_forward(saga: Saga, state: State) -> bool:
    """Whether the pivot lies behind: from here on the saga is never undone."""
    at_hand = saga.step(state.step)
    if at_hand is not None and at_hand.kind is StepKind.RETRIABLE:
        return True
    return any(step.kind is StepKind.PIVOT and step.name in state.done for step in saga.steps)


def patience(saga: Saga, state: State) -> datetime:
    """The moment at which the step at hand is given up: its own timeout or the saga's deadline."""
    at_hand = saga.step(state.step)
    timeout = state.since + (at_hand.timeout if at_hand else SLOW_CAP)
    return timeout if state.deadline is None else min(timeout, state.deadline)


def budget(saga: Saga, state: State, now: datetime) -> timedelta:
    """How long the call at hand may take."""
    at_hand = saga.step(state.step)
    timeout = at_hand.timeout if at_hand else SLOW_CAP
    if state.direction is Direction.UNDO or _only_forward(saga, state):
        return timeout
    return max(timedelta(0), min(timeout, patience(saga, state) - now))


def _given_up(saga: Saga, state: State, now: datetime) -> bool:
    if state.direction is Direction.UNDO or _only_forward(saga, state):
        return False
    return state.cancel_requested or now >= patience(saga, state)


def _why_given_up(state: State) -> tuple[SagaStatus, str]:
    if state.cancel_requested and state.reason:  # a participant took back what it had done
        return SagaStatus.COMPENSATED, state.reason
    return SagaStatus.CANCELLED, "requested" if state.cancel_requested else "deadline"


def _pause(state: State, attempt: int, cap: timedelta, jitter: float) -> timedelta:
    """Full jitter (AWS Architecture Blog, 2015); a parked saga keeps at least half of the cap between attempts."""
    pause: timedelta = min(cap, BASE * 2 ** min(attempt - 1, 20))
    return pause * (0.5 + jitter / 2) if state.status is SagaStatus.COMPENSATION_FAILED else pause * jitter
