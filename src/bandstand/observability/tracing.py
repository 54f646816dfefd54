"""Spans: what was done, within what, for how long. Kept in memory, bounded, for whoever exports or shows them."""

from collections import deque
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Protocol

import msgspec

from bandstand import clock, context

__all__ = ["FinishedSpan", "Kind", "Span", "SpanSource", "drain_spans", "record", "recorded_spans", "span"]

Kind = Literal["internal", "server", "client", "producer", "consumer"]

_KEPT = 1024


class FinishedSpan(msgspec.Struct, frozen=True, kw_only=True):
    """One finished span in OpenTelemetry's terms; `error` is the type of what was raised, never its text.

    A struct, for one is made per request and it costs a sixth of a frozen dataclass.
    """

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_span_id: str
    started_at: datetime
    seconds: float
    attributes: dict[str, Any]
    links: tuple[str, ...] = ()
    error: str = ""

    def finished_span(self) -> "FinishedSpan":
        """The span itself."""
        return self


class SpanSource(Protocol):
    """What knows a finished span and builds it only when somebody asks."""

    def finished_span(self) -> FinishedSpan:
        """Build the span."""


_finished: deque[SpanSource] = deque(maxlen=_KEPT)


class Span:
    """A running span; made by `span`. Its context is current inside the block."""

    __slots__ = ("_previous", "_started", "_started_at", "attributes", "context", "error", "kind", "links", "name")

    def __init__(self, name: str, *, kind: Kind, attributes: dict[str, Any]) -> None:
        self.name = name
        self.kind = kind
        self.attributes = attributes
        self.links: tuple[str, ...] = ()
        self.error = ""

    def set(self, **attributes: Any) -> None:
        """Add attributes, named after OpenTelemetry where it has a name: `set(**{"db.system": "sqlite"})`."""
        self.attributes.update(attributes)

    def link(self, traceparent: str) -> None:
        """Point at the span that caused this one in another trace, as a consumer does with its event."""
        self.links += (traceparent,)

    def fail(self, reason: str) -> None:
        """Mark the span as failed although nothing is raised."""
        self.error = reason

    def __enter__(self) -> "Span":
        self.context = context.current().child()
        self._previous = context.bind(self.context)
        self._started_at = clock.now()
        self._started = clock.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        took = clock.monotonic() - self._started
        context.unbind(self._previous)
        if kind is not None:
            self.error = kind.__name__
        if self.context.sampled:
            self._finish(took)

    def _finish(self, seconds: float) -> None:
        record(
            FinishedSpan(
                name=self.name,
                kind=self.kind,
                trace_id=self.context.trace_id,
                span_id=self.context.span_id,
                parent_span_id=self.context.parent_span_id,
                started_at=self._started_at,
                seconds=seconds,
                attributes=self.attributes,
                links=self.links,
                error=self.error,
            )
        )


def span(name: str, /, kind: Kind = "internal", **attributes: Any) -> Span:
    """Run a block as a span, a child of the current one: `with span("saga.step", "client", **{"saga.step": name}):`."""
    return Span(name, kind=kind, attributes=attributes)


record: Callable[[SpanSource], None] = _finished.append
"""Keep a finished span, or what will build it; the oldest is dropped when nobody drains them."""


def recorded_spans() -> list[FinishedSpan]:
    """The spans kept at the moment, oldest first."""
    return [source.finished_span() for source in list(_finished)]


def drain_spans() -> list[FinishedSpan]:
    """Take the kept spans away, oldest first; an exporter calls this."""
    taken: list[FinishedSpan] = []
    while _finished:
        taken.append(_finished.popleft().finished_span())
    return taken
