"""What is recorded about a call: one span and one duration, with bounded labels."""

from types import TracebackType

from prometheus_client import Histogram

from bandstand import clock
from bandstand.client.exchange import Exchange
from bandstand.errors import ServiceError
from bandstand.observability.metrics import histogram
from bandstand.observability.tracing import span

__all__ = ["Observation"]

_durations = histogram(
    "client_request_duration_seconds", "Calls to other services, retries included.", ("target", "method", "status")
)
_children: dict[tuple[str, str, str], Histogram] = {}


class Observation:
    """A block around the exchange. The status label is the answer's, or the error's code when there was none."""

    __slots__ = ("_exchange", "_span", "_started", "status")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.status = ""
        self._span = span(
            f"{exchange.method} {exchange.target}",
            "client",
            **{"http.request.method": exchange.method, "peer.service": exchange.target},
        )

    def __enter__(self) -> "Observation":
        self._span.__enter__()
        self._started = clock.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        status = self.status or _status_of(error)
        labels = (self._exchange.target, self._exchange.method, status)
        child = _children.get(labels)
        if child is None:
            child = _children[labels] = _durations.labels(*labels)
        child.observe(clock.monotonic() - self._started)
        self._span.set(
            **{"http.response.status_code": status, "http.request.resend_count": self._exchange.attempts - 1}
        )
        self._span.__exit__(kind, error, trace)


def _status_of(error: BaseException | None) -> str:
    status = getattr(error, "status_code", 0)
    if status:
        return str(status)
    return error.code if isinstance(error, ServiceError) else "INTERNAL_ERROR"
