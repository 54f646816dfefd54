"""One request on its way through: what is opened before it, and what is written down after it.

This runs around every request, so it is written flat: what looks like a missing helper is a function call saved.
"""

import logging
from functools import lru_cache

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from msgspec import UNSET, UnsetType

from bandstand import clock, context, errors
from bandstand.config import identity
from bandstand.observability import access, queries, tracing
from bandstand.observability.redaction import clean_text
from bandstand.web import metering
from bandstand.web.client_address import client_address
from bandstand.web.config import web_settings
from bandstand.web.routes import METHODS, UNMATCHED, template_of

__all__ = ["Edge", "Visit"]

_LONGEST_TIMEOUT_MS = 3_600_000
_PATH_LIMIT, _AGENT_LIMIT = 512, 200
_CLIENT_CLOSED_REQUEST = 499
_WITHOUT_LENGTH = frozenset({204, 304})
_MOST_HOSTS = 64


class Edge:
    """What is the same for every request of a process."""

    __slots__ = ("_own_hosts", "environment", "service", "trusted_proxies", "version")

    def __init__(self) -> None:
        who = identity()
        self.service, self.version, self.environment = who.name, who.version, who.environment
        self.trusted_proxies = web_settings().trusted_proxies
        self._own_hosts: set[str] = set()

    def is_addressed(self, request: HttpRequest) -> bool:
        """Whether `ALLOWED_HOSTS` has the host that *request* names; nothing else in the chain asks for certain."""
        host: str = request.META.get("HTTP_HOST", "")
        if host in self._own_hosts:
            return True
        try:
            request.get_host()
        except DisallowedHost:
            return False
        if host and len(self._own_hosts) < _MOST_HOSTS:  # Django's check costs more than the rest of a visit
            self._own_hosts.add(host)
        return True


class Visit(queries.QueryTally):
    """Opens the context of a request when made; `finished` writes it down, `leave` closes it."""

    __slots__ = ("_edge", "_is_too_late", "_previous", "_request", "_started", "context")

    def __init__(self, request: HttpRequest, *, edge: Edge) -> None:
        meta = request.META
        self._request = request
        self._edge = edge
        self.query_count = 0
        self.query_seconds = 0.0
        self._started = started = clock.monotonic()
        timeout_ms = _timeout_ms(meta["HTTP_X_TIMEOUT_MS"]) if "HTTP_X_TIMEOUT_MS" in meta else None
        self._is_too_late = timeout_ms == 0
        trace = context.parse_traceparent(meta.get("HTTP_TRACEPARENT"))
        trace_id, parent, sampled = (context.new_id(), "", True) if trace is None else trace
        correlation_id: str = meta.get("HTTP_X_CORRELATION_ID", "")
        request_id: str = meta.get("HTTP_X_REQUEST_ID", "")
        self.context = opened = context.Context(
            correlation_id=correlation_id if context.is_sound_id(correlation_id) else trace_id,
            request_id=request_id if context.is_sound_id(request_id) else context.new_id(),
            trace_id=trace_id,
            span_id=context.new_id(8),
            parent_span_id=parent,
            sampled=sampled,
            deadline=None if timeout_ms is None else started + timeout_ms / 1000,
        )
        self._previous = context.bind(opened)
        queries.count_into(self)
        metering.enter()

    def refusal(self) -> HttpResponseBase | None:
        """The answer to a request that no view should see: meant for another host, or by a caller who has left."""
        if not self._edge.is_addressed(self._request):
            return self.problem(errors.ValidationFailed("The Host header names no host of this service."))
        if self._is_too_late:  # doing the work would help nobody
            late = "The deadline had passed when the request arrived."
            return self.problem(errors.DeadlineExceeded(late, sent=False))
        return None

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
        # Straight into the mapping: `headers[name] = value` would check for line breaks what was checked already.
        store = response.headers._store  # noqa: SLF001
        store["x-correlation-id"] = (context.CORRELATION_HEADER, self.context.correlation_id)
        store["x-request-id"] = (context.REQUEST_HEADER, self.context.request_id)
        return response

    def finished(self, response: HttpResponseBase) -> HttpResponseBase:
        """Count, log and trace the request, and return its answer with the ids of this request."""
        if response.status_code >= 400:
            response = self._enveloped(response)
        size_bytes = len(response.content) if isinstance(response, HttpResponse) else UNSET
        self._write_down(response.status_code, size_bytes)
        if size_bytes is not UNSET and response.status_code not in _WITHOUT_LENGTH:
            # Else the server would send it in chunks, which costs it, the gateway and the client more.
            response.headers._store.setdefault("content-length", ("Content-Length", str(size_bytes)))  # noqa: SLF001
        return self.identified(response)

    def _enveloped(self, response: HttpResponseBase) -> HttpResponseBase:
        from bandstand.web import problems  # noqa: PLC0415 - only a request that fails needs them

        accept = self._request.META.get("HTTP_ACCEPT")
        return problems.wrapped(response, accept=accept, instance=self._request.path)

    def abandoned(self) -> None:
        """Write down a request whose client went away."""
        self._write_down(_CLIENT_CLOSED_REQUEST, UNSET)

    def leave(self) -> None:
        """Put the former context back; nothing of this request stays in the thread."""
        metering.leave()
        context.unbind(self._previous)

    def _write_down(self, status: int, size_bytes: int | UnsetType) -> None:
        request, work, edge = self._request, self.context, self._edge
        meta = request.META
        seconds = clock.monotonic() - self._started
        method = METHODS.get(request.method or "", "_OTHER")
        match = request.resolver_match
        route = UNMATCHED if match is None else template_of(match.route)
        metering.observe(method, route, status, seconds)
        # Whoever signed in replaced the context by one that names them.
        principal = (context.peek() or work).principal
        line = access.AccessLine(
            timestamp=clock.now(),
            level="info" if status < 500 else "error" if status == 500 else "warning",
            service=edge.service,
            version=edge.version,
            environment=edge.environment,
            correlation_id=work.correlation_id,
            trace_id=work.trace_id,
            span_id=work.span_id,
            parent_span_id=work.parent_span_id,
            request_id=work.request_id,
            method=method,
            route=route,
            # A template without parameters is a text of ours.
            path=route if request.path == route else clean_text(request.path[:_PATH_LIMIT]),
            status=status,
            duration_ms=int(seconds * 1_000_000) / 1000,
            query_count=self.query_count,
            query_ms=int(self.query_seconds * 1_000_000) / 1000,
            client_address=client_address(meta, trusted_proxies=edge.trusted_proxies),
            user_agent=_clean_agent(meta.get("HTTP_USER_AGENT", "")),
            size_bytes=size_bytes,
            user_id=UNSET if principal is None else principal.id,
        )
        access.write(line)
        if work.sampled:
            tracing.record(line)


@lru_cache(maxsize=512)
def _clean_agent(text: str) -> str:
    return clean_text(text[:_AGENT_LIMIT])


def _timeout_ms(text: str) -> int | None:
    """Read the caller's patience; what is no plain number is ignored, and nobody waits longer than an hour."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        return None
    return min(int(text), _LONGEST_TIMEOUT_MS)
