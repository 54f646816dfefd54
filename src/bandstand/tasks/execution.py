"""Running one claimed task within the context it was enqueued in, and judging how that ended."""

import json
import logging
from typing import Any

from bandstand import clock, context
from bandstand.config import section
from bandstand.database.texts import reason_of, traceback_of
from bandstand.observability.metrics import counter, histogram
from bandstand.observability.tracing import span
from bandstand.resilience.retry import RetryPolicy
from bandstand.tasks import results
from bandstand.tasks.api import Task, TaskContext, TaskResult, task_finished, task_started
from bandstand.tasks.config import TasksConfig
from bandstand.tasks.policy import policy_of
from bandstand.tasks.store import Claim, Ended

__all__ = ["ResultNotJson", "ResultTooLarge", "WorkerLost", "context_of", "execute", "report"]

log = logging.getLogger(__name__)

_run = counter("tasks_run_total", "Attempts at tasks, by outcome.", ("task", "outcome"))
_seconds = histogram("task_seconds", "How long an attempt at a task takes.", ("task",))


class WorkerLost(Exception):
    """The process that ran the task ended every time before the task did."""


class ResultNotJson(Exception):
    """The function returned what JSON cannot carry: trying again would repeat work that is done."""


class ResultTooLarge(Exception):
    """The function returned more than `max_task_bytes`: trying again would repeat work that is done."""


_FINAL = (ResultNotJson, ResultTooLarge, WorkerLost)


def execute(claim: Claim) -> Ended:
    """Run a task's function once. Never raises: what the function raises is how the attempt ended."""
    policy = policy_of(execute)  # that of the settings, until the function is known
    with context.bound(context_of(claim)):
        try:
            task = results.task_at(claim.task)
            policy = policy_of(task.func)
            return _call(claim, task, policy)
        except BaseException as error:  # noqa: BLE001 - a task may raise anything, SystemExit too
            return _failed(claim, error, policy)


def report(ended: Ended) -> None:
    """Count and log an outcome that was written down."""
    claim = ended.claim
    outcome = "successful" if ended.succeeded else "failed" if ended.is_last else "retried"
    _run.labels(claim.task, outcome).inc()
    if ended.is_last and ended.shown is not None:
        results.finish(ended.shown, ended, now=clock.now())
        # It is written down: a listener that raises, which Django logs, can change nothing about it any more.
        task_finished.send_robust(type(ended.shown.task.get_backend()), task_result=ended.shown)
    if ended.succeeded:
        return
    extra = {"task": claim.task, "task_id": str(claim.id), "attempt": claim.attempts, "reason": ended.reason}
    if ended.is_last:
        log.error("task.failed", extra=extra)
    else:
        log.warning("task.attempt_failed", extra=extra)


def _call(claim: Claim, task: "Task[..., Any]", policy: RetryPolicy) -> Ended:
    if claim.attempts > policy.attempts:
        raise WorkerLost(f"its worker was lost at each of {policy.attempts} attempts")
    shown = results.running(claim, task, now=clock.database_now(section(TasksConfig).database))
    task_started.send(type(task.get_backend()), task_result=shown)
    naming = {"messaging.message.id": shown.id}
    with span(f"task {claim.task}", "consumer", **naming), _seconds.labels(claim.task).time():
        value = task.call(*_arguments(task, shown), **shown.kwargs)
    return Ended(claim=claim, result=_as_json(value), shown=shown)


def _as_json(value: Any) -> str:
    try:
        text = json.dumps(value, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise ResultNotJson(str(error)) from error
    allowed = section(TasksConfig).max_task_bytes
    if len(text) > allowed:  # all of it is ASCII
        raise ResultTooLarge(f"the result has {len(text)} bytes; {allowed} are allowed: keep it and return its id")
    return text


def _arguments(task: "Task[..., Any]", result: "TaskResult[Any]") -> list[Any]:
    return [TaskContext(task_result=result), *result.args] if task.takes_context else result.args


def context_of(claim: Claim) -> context.Context:
    """The correlation of whoever enqueued the task; its own span; the task as the cause of what it does."""
    trace = context.parse_traceparent(claim.traceparent) or (context.new_id(), "", True)
    return context.Context(
        correlation_id=claim.correlation_id,
        trace_id=trace[0],
        span_id=trace[1],
        sampled=trace[2],
        causation_id=str(claim.id),
    )


def _failed(claim: Claim, error: BaseException, policy: RetryPolicy) -> Ended:
    tries_left = claim.attempts < policy.attempts and not isinstance(error, _FINAL)
    return Ended(
        claim=claim,
        error=f"{type(error).__module__}.{type(error).__qualname__}",
        reason=reason_of(error),
        traceback=traceback_of(error),
        pause=policy.delay(claim.attempts) if tries_left else None,
    )
