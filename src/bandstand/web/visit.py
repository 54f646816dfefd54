"""One request on its way through: what is opened before it, and what is written down after it."""

import logging
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from prometheus_client import Counter, Histogram

from bandstand import clock, context, errors
from bandstand.observability import metrics, queries, tracing
from bandstand.observability.logging import PreparedRecord
from bandstand.observability.redaction import clean_text
from bandstand.web.client_address import client_address
from bandstand.web.config import web_settings
from bandstand.web.routes import method_of, route_of

__all__ = ["Visit"]

access_log = logging.getLogger("bandstand.access")

_LONGEST_TIMEOUT_MS = 3_600_000
_PATH_LIMIT, _AGENT_LIMIT = 512, 200
_CLIENT_CLOSED_REQUEST = 499

_requests = metrics.counter("http_requests_total", "Requests answered.", ("method", "endpoint", "status"))
_durations = metrics.histogram("http_request_duration_seconds", "Time to answer.", ("method", "endpoint"))
_active = metrics.gauge("active_connections", "Requests in flight.")

# Bounded as their labels are; looking a child up by its labels costs more than counting.
_counters: dict[tuple[str, str, int], Counter] = {}
_histograms: dict[tuple[str, str], Histogram] = {}


class Visit:
    """Opens the context of a request when made; `finished` writes it down, `leave` closes it."""

    __slots__ = ("_previous", "_request", "_started", "_started_at", "_tally", "_timeout_ms", "context")

    def __init__(self, request: HttpRequest) -> None:
        meta = request.META
        self._request = request
        self._started_at = clock.now()
        self._started = clock.monotonic()
        self._timeout_ms = _timeout_ms(meta.get("HTTP_X_TIMEOUT_MS"))
        self.context = self._open(meta)
        self._previous = context.bind(self.context)
        self._tally = queries.count_queries()
        _active.inc()

    def _open(self, meta: dict[str, Any]) -> context.Context:
        trace_id, parent, sampled = context.parse_traceparent(meta.get("HTTP_TRACEPARENT")) or (None, "", True)
        trace_id = trace_id or context.new_id()
        return context.Context(
            correlation_id=_taken_over(meta.get("HTTP_X_CORRELATION_ID")) or trace_id,
            request_id=_taken_over(meta.get("HTTP_X_REQUEST_ID")) or context.new_id(),
            trace_id=trace_id,
            parent_span_id=parent,
            sampled=sampled,
            deadline=None if self._timeout_ms is None else self._started + self._timeout_ms / 1000,
        )

    def refusal(self) -> HttpResponseBase | None:
        """The answer to a request whose caller waits no longer: doing the work would help nobody."""
        if self._timeout_ms != 0:
            return None
        return self.problem(errors.DeadlineExceeded("The deadline had passed when the request arrived.", sent=False))

    def fault(self, error: Exception) -> HttpResponseBase:
        """The answer to what escaped even Django's handlers: the cause goes to the log, never to the caller."""
        logging.getLogger(__name__).error("request.escaped", exc_info=error)
        return self.problem(error if isinstance(error, errors.ServiceError) else errors.InternalError())

    def problem(self, error: errors.ServiceError) -> HttpResponseBase:
        """The answer that says *error*, in the form the caller accepts."""
        from bandstand.web import problems  # noqa: PLC0415 - only a request that fails needs them

        return problems.response_for(error, accept=self._request.META.get("HTTP_ACCEPT"), instance=self._request.path)

    def identified(self, response: HttpResponseBase) -> HttpResponseBase:
        """Give *response* the ids of this request."""
        response.headers[context.CORRELATION_HEADER] = self.context.correlation_id
        response.headers[context.REQUEST_HEADER] = self.context.request_id
        return response

    def finished(self, response: HttpResponseBase) -> HttpResponseBase:
        """Count, log and trace the request, and return its answer with the ids of this request."""
        if response.status_code >= 400:
            response = self._enveloped(response)
        self._write_down(
            response.status_code, size_bytes=len(response.content) if isinstance(response, HttpResponse) else -1
        )
        return self.identified(response)

    def _enveloped(self, response: HttpResponseBase) -> HttpResponseBase:
        from bandstand.web import problems  # noqa: PLC0415 - only a request that fails needs them

        accept = self._request.META.get("HTTP_ACCEPT")
        return problems.wrapped(response, accept=accept, instance=self._request.path)

    def abandoned(self) -> None:
        """Write down a request whose client went away."""
        self._write_down(_CLIENT_CLOSED_REQUEST, size_bytes=-1)

    def leave(self) -> None:
        """Put the former context back; nothing of this request stays in the thread."""
        _active.dec()
        context.unbind(self._previous)

    def _write_down(self, status: int, *, size_bytes: int) -> None:
        seconds = clock.monotonic() - self._started
        method, route = method_of(self._request), route_of(self._request)
        _count(method, route, status=status, seconds=seconds)
        fields = self._fields(method, route, status=status, seconds=seconds)
        if size_bytes >= 0:
            fields["http.response.body.size"] = size_bytes
        self._log(status, seconds, fields)
        if self.context.sampled:
            self._trace(f"{method} {route}", status=status, seconds=seconds, fields=fields)

    def _fields(self, method: str, route: str, *, status: int, seconds: float) -> dict[str, Any]:
        request, meta, tally = self._request, self._request.META, self._tally
        work = context.peek()
        fields: dict[str, Any] = {
            "http.request.method": method,
            "http.route": route,
            "url.path": clean_text(request.path[:_PATH_LIMIT]),
            "http.response.status_code": status,
            "duration_ms": round(seconds * 1000, 3),
            "db.query_count": tally.count,
            "db.duration_ms": round(tally.seconds * 1000, 3),
            "client.address": client_address(meta, trusted_proxies=web_settings().trusted_proxies),
            "user_agent.original": clean_text(meta.get("HTTP_USER_AGENT", "")[:_AGENT_LIMIT]),
            "request_id": self.context.request_id,
        }
        if work is not None and work.principal is not None:
            fields["user.id"] = work.principal.id
        return fields

    def _log(self, status: int, seconds: float, fields: dict[str, Any]) -> None:
        level = logging.INFO if status < 500 else logging.ERROR if status == 500 else logging.WARNING
        if not access_log.isEnabledFor(level):
            return
        # Whoever signed in replaced the context; the line belongs to the request as it came in.
        context.bind(self.context)
        created = self._started_at.timestamp() + seconds
        record = PreparedRecord(
            name="bandstand.access", level=level, event="request.answered", created=created, fields=fields
        )
        access_log.handle(record)

    def _trace(self, name: str, *, status: int, seconds: float, fields: dict[str, Any]) -> None:
        tracing.record(
            tracing.FinishedSpan(
                name=name,
                kind="server",
                trace_id=self.context.trace_id,
                span_id=self.context.span_id,
                parent_span_id=self.context.parent_span_id,
                started_at=self._started_at,
                seconds=seconds,
                attributes=fields,
                error=str(status) if status >= 500 else "",
            )
        )


def _taken_over(foreign_id: str | None) -> str:
    return foreign_id if foreign_id is not None and context.valid_correlation_id(foreign_id) else ""


def _timeout_ms(text: str | None) -> int | None:
    """Read the caller's patience; what is no plain number is ignored, and nobody waits longer than an hour."""
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= 9):
        return None
    return min(int(text), _LONGEST_TIMEOUT_MS)


def _count(method: str, route: str, *, status: int, seconds: float) -> None:
    counter = _counters.get((method, route, status))
    if counter is None:
        counter = _counters[method, route, status] = _requests.labels(method, route, str(status))
    counter.inc()
    histogram = _histograms.get((method, route))
    if histogram is None:
        histogram = _histograms[method, route] = _durations.labels(method, route)
    histogram.observe(seconds)
