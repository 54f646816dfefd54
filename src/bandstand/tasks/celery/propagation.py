"""The context of the work at hand, carried by the headers of Celery's messages, whoever's task they are for."""

from datetime import datetime, timedelta
from typing import Any

from celery.signals import before_task_publish, task_postrun, task_prerun

from bandstand import clock, context

__all__ = ["connect"]

_CORRELATION, _TRACE, _DEADLINE = "bandstand_correlation_id", "bandstand_traceparent", "bandstand_deadline"
_previous: dict[str, context.Context | None] = {}


def connect() -> None:
    """Let every message take the context along, and every run be within it."""
    before_task_publish.connect(_send, dispatch_uid="bandstand.send")
    task_prerun.connect(_begin, dispatch_uid="bandstand.begin")
    task_postrun.connect(_end, dispatch_uid="bandstand.end")


def _send(headers: dict[str, Any], **_: Any) -> None:
    work = context.current()
    headers[_CORRELATION] = work.correlation_id
    headers[_TRACE] = work.traceparent
    if work.deadline is not None:
        left = timedelta(seconds=max(0.0, work.deadline - clock.monotonic()))
        headers[_DEADLINE] = clock.rfc3339(clock.now() + left)


def _begin(task_id: str, task: Any, **_: Any) -> None:
    _previous[task_id] = context.bind(_received(task.request))


def _end(task_id: str, **_: Any) -> None:
    context.unbind(_previous.pop(task_id, None))


def _received(request: Any) -> context.Context:
    correlation_id = str(getattr(request, _CORRELATION, None) or "")
    trace_id, span_id, sampled = context.parse_traceparent(getattr(request, _TRACE, None)) or (
        context.new_id(),
        "",
        True,
    )
    return context.Context(
        correlation_id=correlation_id if context.valid_correlation_id(correlation_id) else context.new_id(),
        trace_id=trace_id,
        span_id=span_id,
        sampled=sampled,
        deadline=_deadline(getattr(request, _DEADLINE, None)),
        causation_id=request.id,
    )


def _deadline(text: str | None) -> float | None:
    """The sender's moment on this process's monotonic clock: as good as the two hosts' clocks agree."""
    if not text:
        return None
    return clock.monotonic() + (datetime.fromisoformat(text) - clock.now()).total_seconds()
