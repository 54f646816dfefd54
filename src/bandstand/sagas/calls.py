"""One call of a step: where it runs, within what, and what its end means."""

import logging
import random
from dataclasses import dataclass, replace
from typing import Any

from django.db import close_old_connections, transaction

from bandstand import clock, context
from bandstand.database.texts import reason_of, storable
from bandstand.errors import ServiceConnectionError, ServiceError, ServiceTimeoutError
from bandstand.lifecycle.crashpoints import crash_point
from bandstand.observability import metrics, tracing
from bandstand.sagas import asking
from bandstand.sagas.contexts import ContextUnreadable
from bandstand.sagas.encoding import decode
from bandstand.sagas.plan import base_of, item_of
from bandstand.sagas.protocol import Answered, Call, Outcome
from bandstand.sagas.results import Result, result_of
from bandstand.sagas.runs import Run
from bandstand.sagas.steps import Direction, Each, Found, Leaf, Mode, SagaStep, StepCall, StepRefused

__all__ = ["Answer", "answer_of", "attempt_locally", "call_of", "call_remotely", "digested", "heard_of", "point"]

log = logging.getLogger(__name__)
_random = random.SystemRandom()
_duration = metrics.histogram(
    "saga_step_duration_seconds", "How long one attempt of a step took.", ("saga", "step", "direction", "outcome")
)

_REASON, _ERROR = 200, 1000


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call came out, and what it returned for the context.

    `result` is there already when the call was made within the wave that takes the answer in.
    """

    answered: Answered
    changes: Any = None
    result: Result | None = None


def point(run: Run, unit: str, direction: Direction, moment: str) -> None:
    """Pass the crash point *moment* of a step."""
    crash_point(f"saga.{run.saga.name}.{base_of(unit)}.{direction}.{moment}")


def call_of(run: Run, unit: str, attempt: int, text: str) -> StepCall:
    """What a step function receives: its own copy of the context *text*."""
    held = decode(text, run.saga.context)
    item = item_of(unit)
    return StepCall(
        saga_id=run.id,
        key=run.key(unit),
        context=held,
        attempt=attempt,
        item=None if item is None else _item(run, unit, item, held),
        effect_key=run.key(unit),
    )


def _item(run: Run, unit: str, key: str, held: Any) -> Any:
    spot = run.saga.plan.spot(unit)
    around = spot.each if spot is not None else None
    if around is None or not isinstance(around.node, Each):
        raise LookupError(f"{unit!r} is in no loop")
    loop = around.node
    for item in loop.over(held):
        if str(loop.key(item)) == key:
            return item
    raise LookupError(f"the context has no item {key!r} any more for {loop.name!r}")


def call_remotely(run: Run, call: Call, budget: float) -> Answer:
    """Make one attempt outside any transaction and say how it came out.

    Raises nothing: whatever is not a definite answer is unknown. *budget* bounds it, in seconds, for clients that
    heed the deadline of the context. Nothing is sent when it is used up: what is sent late might arrive when nobody
    reckons with it any more.
    """
    if budget < 0:
        return Answer(Answered(call.unit, call.direction, Outcome.FAILED, error="no time was left to make the call"))
    close_old_connections()
    with context.bound(run.work(deadline=clock.monotonic() + budget)):
        answer = _attempt(run, call, run.context)
    point(run, call.unit, call.direction, "after_call")
    close_old_connections()
    return answer


def attempt_locally(run: Run, call: Call, text: str) -> Answer:
    """Make one attempt within the transaction of the log, in a savepoint of its own."""
    with context.bound(run.work()):
        return _attempt(run, call, text, local=True)


def _attempt(run: Run, call: Call, text: str, *, local: bool = False) -> Answer:
    """Make one attempt as a span, count it, and say so when it did not succeed."""
    name = base_of(call.unit)
    started = clock.monotonic()
    with tracing.span(f"saga {run.saga.name} {name} {call.direction}") as span:
        span.set(**{"saga.attempt": call.attempt})
        try:
            if local:
                with transaction.atomic():
                    answer = _with_result(run, _perform(run, call, text), text)
            else:
                answer = _perform(run, call, text)
        except Exception as error:  # noqa: BLE001 - a fault of the step's code is an outcome as well
            answer = Answer(answer_of(error, call.unit, call.direction, local=local))
            span.fail(type(error).__name__)
    seconds = clock.monotonic() - started
    outcome = answer.answered.outcome
    _duration.labels(run.saga.name, name, call.direction.value, outcome.value).observe(seconds)
    if outcome is not Outcome.OK:
        _report(run, call, answer.answered)
    return answer


def _perform(run: Run, call: Call, text: str) -> Answer:
    made = call_of(run, call.unit, call.attempt, text)
    ok = Answered(call.unit, call.direction, Outcome.OK)
    leaf = call.leaf
    if call.query and isinstance(leaf, SagaStep) and leaf.query is not None:
        if leaf.query(made) is Found.ABSENT:
            return Answer(Answered(call.unit, call.direction, Outcome.ABSENT, error="nothing is known of the key"))
        if call.direction is Direction.DO:
            return Answer(ok)
    if leaf.mode is Mode.ASK:
        asking.ask(run, leaf, call, made)
        return Answer(ok)
    return Answer(ok, _function(leaf, call.direction)(made))


def _function(leaf: Leaf, direction: Direction) -> Any:
    forward = leaf.do if isinstance(leaf, SagaStep) else None
    function = leaf.undo if direction is Direction.UNDO else forward
    if function is None:
        raise LookupError(f"the step {leaf.name!r} has no {direction}")
    return function


def heard_of(run: Run, leaf: Leaf, unit: str, payload: str, text: str) -> Answer:
    """What a signal that a step waited for means to it, read within the transaction of the log."""
    ok = Answered(unit, Direction.DO, Outcome.OK)
    try:
        with context.bound(run.work()), transaction.atomic():
            return _with_result(run, Answer(ok, asking.hear(leaf, call_of(run, unit, 1, text), payload)), text)
    except Exception as error:  # noqa: BLE001 - as above
        return Answer(answer_of(error, unit, Direction.DO, local=True))


def digested(run: Run, answer: Answer, text: str) -> Answer:
    """The answer of a remote call with its result. One that does not fit the context is of no use: try again."""
    if answer.answered.outcome is not Outcome.OK or answer.result is not None:
        return answer
    try:
        return _with_result(run, answer, text)
    except (TypeError, ValueError, ContextUnreadable) as error:
        answered = answer.answered
        return Answer(Answered(answered.unit, answered.direction, Outcome.UNKNOWN, error=reason_of(error)[:_ERROR]))


def _with_result(run: Run, answer: Answer, text: str) -> Answer:
    if answer.answered.direction is Direction.UNDO:
        return answer
    return replace(answer, result=result_of(run, answer.answered.unit, text, answer.changes))


def _report(run: Run, call: Call, answer: Answered) -> None:
    level = logging.INFO if answer.outcome is Outcome.REFUSED else logging.WARNING
    facts = {"saga": run.saga.name, "saga_id": str(run.id), "step": call.unit, "direction": call.direction.value}
    facts |= {"outcome": answer.outcome.value, "error": answer.error}
    log.log(level, "saga.step_failed", extra={**facts, "attempt": call.attempt})


def answer_of(
    error: Exception, unit: str = "", direction: Direction = Direction.DO, *, local: bool = False
) -> Answered:
    """Translate what a step raised.

    A definite no is a `StepRefused` or an error that the participant answered with a 4xx of its domain. Nothing was
    sent when the transport says so; a local step that raised was rolled back. Everything else may have happened.
    """
    text = reason_of(error)[:_ERROR]
    reason = _refusal(error)
    if reason is not None:
        doubtful = any(isinstance(one, ServiceError) and one.repeated for one in (error, error.__cause__))
        reason = storable(reason)[:_REASON]
        return Answered(unit, direction, Outcome.REFUSED, reason=reason, error=text, doubtful=doubtful)
    unsent = isinstance(error, ServiceConnectionError | ServiceTimeoutError) and not error.sent
    unmade = local or unsent or isinstance(error, ContextUnreadable)
    outcome = Outcome.FAILED if unmade else Outcome.UNKNOWN
    return Answered(unit, direction, outcome, error=text, jitter=_random.random())


def _refusal(error: Exception) -> str | None:
    if isinstance(error, StepRefused):
        return error.reason
    if not isinstance(error, ServiceError) or error.retryable or not 400 <= error.status < 500 or error.status == 401:
        return None  # 401: our own credentials are in doubt, not the participant's decision
    return str(error.details.get("business_rule") or error.details.get("conflict") or error.code.lower())
