"""Why a saga waits, in words: what it waits for, how often it tried, what it met, and when it goes on."""

from datetime import datetime, timedelta

from bandstand.events.operations.output import duration
from bandstand.sagas.engine.move import END, PARENT, QUEUE, START
from bandstand.sagas.engine.patience import PARK_AFTER, SLOW_CAP, patience
from bandstand.sagas.models import SagaExecution
from bandstand.sagas.operations.case import Case
from bandstand.sagas.operations.phrases import age, clipped, on_the_clock, remaining
from bandstand.sagas.protocol import Position, SagaStatus
from bandstand.sagas.steps import Approval, ChildSaga, Leaf, Mode, SagaCommand, Timer, WaitFor
from bandstand.sagas.transitions import Phase

__all__ = ["stuck", "why"]

_UNATTENDED = timedelta(seconds=30)
"""A saga that was free for so long has no worker: a running one looks every second."""


def why(row: SagaExecution, now: datetime) -> str:
    """Why a saga is where it is; of one that has ended, why it ended so."""
    case = Case(row, now)
    if not case.is_live:
        return f"{row.reason}; ended {age(row.updated_at, now)} ago".removeprefix("; ")
    if case.saga is None:
        return f"parked: this release declares no version {row.version} of {row.type!r}; deploy one that does"
    if row.status == SagaStatus.PARKED and case.state.status is not SagaStatus.PARKED:
        return f"parked: {clipped(row.error)}"  # by whoever could not even read it
    said = [_of(case, one) for one in case.state.at]
    return "; ".join([*(_turning(case)), " | ".join(said) or "not begun", *_beside(case)])


def stuck(row: SagaExecution, now: datetime) -> str:
    """Why a person should look at a saga; empty while there is no reason to."""
    case = Case(row, now)
    if not case.is_live:
        return ""
    if row.status in (SagaStatus.COMPENSATION_FAILED, SagaStatus.PARKED):
        return row.status.replace("_", " ")
    if case.saga is None:
        return "parked"
    if _is_unattended(case):
        return "no worker"
    state = case.state
    if any(one.attempt >= PARK_AFTER and _is_attempted(case, one) for one in state.at):
        return f"failed {PARK_AFTER} times"
    late = state.deadline is not None and state.deadline + SLOW_CAP < now
    return "beyond its deadline" if late and not case.is_past_pivot else ""


def _is_attempted(case: Case, position: Position) -> bool:
    leaf = case.leaf(position.unit)
    return leaf is not None and leaf.mode in (Mode.CALL, Mode.LOCAL)


def _is_unattended(case: Case) -> bool:
    return case.row.lease_until is not None and case.row.lease_until + _UNATTENDED < case.now


# ---- the saga as a whole


def _turning(case: Case) -> list[str]:
    if case.state.ending is not None and not case.is_undoing:
        return [f"turns back ({clipped(case.state.reason)}) once what is under way is settled"]
    return []


def _beside(case: Case) -> list[str]:
    said = []
    if case.state.cancel_requested and not case.is_turning_back:
        said.append("a cancel is requested")
    if _is_unattended(case) and case.row.lease_until is not None:
        said.append(f"no worker has taken it for {age(case.row.lease_until, case.now)}: does one run?")
    return said


# ---- one step at hand


def _of(case: Case, position: Position) -> str:
    met = clipped(position.error)
    soon = remaining(position.next_at, case.now)
    if position.unit in (START, QUEUE):
        return f"pending: {_held_back(case, position)}"
    if position.unit == END:
        return f"its follow-up failed: {met}; {soon}"
    if position.unit == PARENT:
        return "waits for its parent saga to end"
    if not case.is_known(position.unit):
        return f"parked: this release has no step {position.unit!r}; deploy one that has it"
    leaf = case.leaf(position.unit)
    if leaf is None:
        return f"begins {position.unit}" + (f": {met}; {soon}" if met else "")
    if case.is_undoing:
        return _undoing(case, position, leaf)
    if position.attempt == 0:
        return f"{position.unit} not begun" + (f": {met}" if met else "") + f"; {soon}"
    return _awaiting(case, position, leaf) if leaf.mode in (Mode.ASK, Mode.TIMER) else _calling(case, position, leaf)


def _held_back(case: Case, position: Position) -> str:
    if position.next_at is not None and position.next_at > case.now:
        return f"begins at {on_the_clock(position.next_at, case.now)}"
    limit = case.saga.limit if case.saga is not None else None
    if position.unit == START or limit is None:
        return "begins now"
    said = [f"at most {limit.live} under way"] if limit.live is not None else []
    if limit.per_key is not None:
        said.append(f"at most {limit.per_key} of {case.row.limit_key!r}")
    if limit.starts is not None:
        said.append(f"at most {limit.starts.count} starts in {duration(limit.starts.per.total_seconds())}")
    return f"a limit is reached: {', '.join(said)}"


def _calling(case: Case, position: Position, leaf: Leaf) -> str:
    met = clipped(position.error)
    head = f"{position.unit}, attempt {position.attempt}"
    kind = "unknown" if position.doubt else "fails" if met else ""
    named = f"{kind}: {head}" if kind else head
    if position.phase is Phase.CALLING:
        return f"{named} under way" + (f"; before: {met}" if met else "")
    return f"{named}, {met or 'no answer'}; {remaining(position.next_at, case.now)}{_limit(case, position, leaf)}"


def _limit(case: Case, position: Position, leaf: Leaf) -> str:
    if case.is_past_pivot:
        return "; behind the pivot, so until it succeeds"
    until = patience(case.state, leaf, position.since)
    return f"; turns back at {on_the_clock(until, case.now)}" if until is not None else ""


def _awaiting(case: Case, position: Position, leaf: Leaf) -> str:
    if isinstance(leaf, Timer) and position.next_at is not None:
        return f"until {on_the_clock(position.next_at, case.now)} (timer {position.unit})"
    since = f"since {age(position.since, case.now)}"
    until = patience(case.state, leaf, position.since)
    goes = "goes on without" if leaf.optional else "turns back"
    given_up = f"; {goes} at {on_the_clock(until, case.now)}" if until is not None and not case.is_past_pivot else ""
    return f"waits for {_what(position.unit, leaf)} {since}{_again(case, position, leaf)}{given_up}"


def _what(unit: str, leaf: Leaf) -> str:
    match leaf:
        case Approval(permission=permission):
            return f"approval {unit}" + (f" by someone with {permission}" if permission else "")
        case WaitFor(event=event):
            return f"event {event.event_name} ({unit})"
        case SagaCommand(reply=reply):
            return f"reply {reply.event_name} ({unit})"
        case ChildSaga(saga=saga):
            return f"child saga {saga.name} ({unit})"
        case _:
            return unit


def _again(case: Case, position: Position, leaf: Leaf) -> str:
    if not isinstance(leaf, SagaCommand):
        return ""
    return f", asked {position.attempt} times; {remaining(position.next_at, case.now)}"


def _undoing(case: Case, position: Position, leaf: Leaf) -> str:
    met, soon = clipped(position.error), remaining(position.next_at, case.now)
    if position.attempt == 0:
        held = on_the_clock(position.next_at, case.now) if position.next_at is not None else "now"
        return f"holds {position.unit} until {held}: its request may be on its way still; then it is undone"
    if leaf.mode is Mode.ASK and position.phase is Phase.RESTING and not met:
        return f"waits for the undo of {_what(position.unit, leaf)} since {age(position.since, case.now)}; {soon}"
    head = f"undo of {position.unit}, attempt {position.attempt}"
    failed = "compensation failed: " if case.row.status == SagaStatus.COMPENSATION_FAILED else ""
    if position.phase is Phase.UNDOING:
        return f"{failed}{head} under way" + (f"; before: {met}" if met else "")
    found = f"nothing was found {position.absent} time(s)" if position.absent else met or "no answer"
    return f"{failed}{head}, {found}; {soon}"
