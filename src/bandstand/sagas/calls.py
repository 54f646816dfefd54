"""One call of a step: where it runs, within what, and what its end means."""

import logging
import random
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from django.db import close_old_connections, transaction

from bandstand import clock, context
from bandstand.database.texts import reason_of, storable
from bandstand.errors import ServiceConnectionError, ServiceError, ServiceTimeoutError
from bandstand.lifecycle.crashpoints import crash_point
from bandstand.observability import metrics, tracing
from bandstand.sagas.definition import Direction, SagaStep, StepCall, StepRefused
from bandstand.sagas.encoding import decode, encode
from bandstand.sagas.protocol import Answered, Call, Outcome
from bandstand.sagas.runs import Run

__all__ = ["answer_of", "attempt", "call_remotely", "point"]

log = logging.getLogger(__name__)
_random = random.SystemRandom()
_duration = metrics.histogram(
    "saga_step_duration_seconds", "How long one attempt of a step took.", ("saga", "step", "direction", "outcome")
)

_REASON, _ERROR = 200, 1000


def point(run: Run, step: SagaStep, direction: Direction, moment: str) -> None:
    """Pass the crash point *moment* of a step."""
    crash_point(f"saga.{run.saga.name}.{step.name}.{direction}.{moment}")


def _perform(run: Run, step: SagaStep, direction: Direction, text: str, attempt: int) -> str:
    """Call the step's function with its own copy of the context *text*; returns the context that follows."""
    held = decode(text)
    call = StepCall(saga_id=run.id, key=run.key(step.name), context=decode(text), attempt=attempt)
    result: Mapping[str, Any] | None = step.function(direction)(call)
    return encode({**held, **result}) if result else text


def call_remotely(run: Run, call: Call, budget: float) -> tuple[Answered, str]:
    """Make one attempt outside any transaction and say how it came out, with the context that follows.

    Raises nothing: whatever is not a definite answer is unknown. *budget* bounds it, in seconds, for clients that
    heed the deadline of the context.
    """
    close_old_connections()
    with context.bound(run.work(deadline=clock.monotonic() + budget)):
        answer, text = attempt(run, call, run.context)
    point(run, call.step, call.direction, "after_call")
    close_old_connections()
    return answer, text


def attempt(run: Run, call: Call, text: str) -> tuple[Answered, str]:
    """Make one attempt as a span, count it, and say so when it did not succeed. A local step keeps its savepoint."""
    name = f"saga {run.saga.name} {call.step.name} {call.direction}"
    started = clock.monotonic()
    answer, after = Answered(Outcome.OK), text
    with tracing.span(name) as span:
        span.set(**{"saga.attempt": call.attempt})
        try:
            with transaction.atomic() if call.step.local else nullcontext():
                after = _perform(run, call.step, call.direction, text, call.attempt)
        except Exception as error:  # noqa: BLE001 - a fault of the step's code is an outcome as well
            answer = answer_of(error, local=call.step.local)
            span.fail(type(error).__name__)
    seconds = clock.monotonic() - started
    _duration.labels(run.saga.name, call.step.name, call.direction.value, answer.outcome.value).observe(seconds)
    if answer.outcome is not Outcome.OK:
        _report(run, call, answer)
    return answer, after


def _report(run: Run, call: Call, answer: Answered) -> None:
    level = logging.INFO if answer.outcome is Outcome.REFUSED else logging.WARNING
    facts = {"saga": run.saga.name, "saga_id": str(run.id), "step": call.step.name, "direction": call.direction.value}
    facts |= {"outcome": answer.outcome.value, "error": answer.error}
    log.log(level, "saga.step_failed", extra={**facts, "attempt": call.attempt})


def answer_of(error: Exception, *, local: bool = False) -> Answered:
    """Translate what a step raised.

    A definite no is a `StepRefused` or an error that the participant answered with a 4xx of its domain. Nothing was
    sent when the transport says so; a local step that raised was rolled back. Everything else may have happened.
    """
    text = reason_of(error)[:_ERROR]
    reason = _refusal(error)
    if reason is not None:
        doubtful = any(isinstance(one, ServiceError) and one.repeated for one in (error, error.__cause__))
        return Answered(Outcome.REFUSED, reason=storable(reason)[:_REASON], error=text, doubtful=doubtful)
    unsent = isinstance(error, ServiceConnectionError | ServiceTimeoutError) and not error.sent
    outcome = Outcome.FAILED if local or unsent else Outcome.UNKNOWN
    return Answered(outcome, error=text, jitter=_random.random())


def _refusal(error: Exception) -> str | None:
    if isinstance(error, StepRefused):
        return error.reason
    if not isinstance(error, ServiceError) or error.retryable or not 400 <= error.status < 500 or error.status == 401:
        return None  # 401: our own credentials are in doubt, not the participant's decision
    return str(error.details.get("business_rule") or error.details.get("conflict") or error.code.lower())
