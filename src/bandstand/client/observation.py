"""What is recorded about a call: one span and one duration, with bounded labels."""

from types import TracebackType

from prometheus_client import Histogram

from bandstand import clock, context
from bandstand.client.exchange import Exchange
from bandstand.errors import ServiceError
from bandstand.observability.metrics import histogram
from bandstand.observability.tracing import FinishedSpan, record

__all__ = ["Observation"]

_durations = histogram(
    "client_request_duration_seconds", "Calls to other services, retries included.", ("target", "method", "status")
)
_children: dict[tuple[str, str, str], Histogram] = {}


class Observation:
    """A block around the exchange: its span is current inside. The span proper is built only when somebody asks.

    The status is the answer's, or the error's code when there was none.
    """

    __slots__ = (
        "_attempts",
        "_context",
        "_error",
        "_exchange",
        "_labels",
        "_previous",
        "_seconds",
        "_started_at",
        "status",
    )

    def __init__(self, exchange: Exchange) -> None:
        self._exchange: Exchange | None = exchange
        self.status = ""

    def __enter__(self) -> "Observation":
        here = self._context = context.current().child()
        self._previous = context.bind(here)
        self._started_at = clock.now()
        self._seconds = clock.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        took = self._seconds = clock.monotonic() - self._seconds
        context.unbind(self._previous)
        exchange = self._exchange
        if exchange is None:
            raise RuntimeError("an observation is for one call")
        labels = self._labels = exchange.target, exchange.method, self.status or _status_of(error)
        child = _children.get(labels)
        if child is None:
            child = _children[labels] = _durations.labels(*labels)
        child.observe(took)
        if self._context.sampled:
            self._attempts = exchange.attempts
            self._error = "" if kind is None else kind.__name__
            # What is kept for an exporter must not keep bodies and tokens alive.
            self._exchange = self._previous = None
            record(self)

    def finished_span(self) -> FinishedSpan:
        """The span, in OpenTelemetry's terms."""
        target, method, status = self._labels
        return FinishedSpan(
            name=f"{method} {target}",
            kind="client",
            trace_id=self._context.trace_id,
            span_id=self._context.span_id,
            parent_span_id=self._context.parent_span_id,
            started_at=self._started_at,
            seconds=self._seconds,
            attributes={
                "http.request.method": method,
                "http.request.resend_count": self._attempts - 1,
                "http.response.status_code": status,
                "peer.service": target,
            },
            error=self._error,
        )


def _status_of(error: BaseException | None) -> str:
    status = getattr(error, "status_code", 0)
    if status:
        return str(status)
    return error.code if isinstance(error, ServiceError) else "INTERNAL_ERROR"
