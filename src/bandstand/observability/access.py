"""The access line: what is known of one request when it is over, written once and kept as its span.

It is the only record made for every request, so it takes a short way to standard output where nobody else listens.
"""

import logging
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from bandstand.observability.logging import LineHandler, PreparedRecord
from bandstand.observability.tracing import FinishedSpan

__all__ = ["AccessLine", "write"]

log = logging.getLogger("bandstand.access")

_encode = msgspec.json.Encoder().encode
_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_NAMES = {
    "method": "http.request.method",
    "route": "http.route",
    "path": "url.path",
    "status": "http.response.status_code",
    "query_count": "db.query_count",
    "query_ms": "db.duration_ms",
    "client_address": "client.address",
    "user_agent": "user_agent.original",
    "size_bytes": "http.response.body.size",
    "user_id": "user.id",
}


class AccessLine(msgspec.Struct, kw_only=True, gc=False, rename=_NAMES):
    """One request, named after OpenTelemetry. Its texts are clean already: nothing is redacted on the way out."""

    timestamp: datetime
    level: str
    logger: str = "bandstand.access"
    event: str = "request.answered"
    service: str
    version: str
    environment: str
    correlation_id: str
    trace_id: str
    span_id: str
    parent_span_id: str
    request_id: str
    method: str
    route: str
    path: str
    status: int
    duration_ms: float
    query_count: int
    query_ms: float
    client_address: str
    user_agent: str
    size_bytes: int | UnsetType = UNSET
    user_id: str | UnsetType = UNSET

    def finished_span(self) -> FinishedSpan:
        """The same as a server span."""
        fields = msgspec.to_builtins(self)
        attributes = {name: fields[name] for name in _NAMES.values() if name in fields}
        return FinishedSpan(
            name=f"{self.method} {self.route}",
            kind="server",
            trace_id=self.trace_id,
            span_id=self.span_id,
            parent_span_id=self.parent_span_id,
            started_at=self.timestamp - timedelta(milliseconds=self.duration_ms),
            seconds=self.duration_ms / 1000,
            attributes=attributes,
            error=str(self.status) if self.status >= 500 else "",
        )


def write(line: AccessLine) -> None:
    """Log *line*, if its level is wanted."""
    level = _LEVELS[line.level]
    if not log.isEnabledFor(level):
        return
    root = log.parent
    # Where nobody but the handler of `logging_config` would see the record, no record is needed.
    if root is logging.root and len(root.handlers) == 1 and not log.handlers and not log.filters and log.propagate:
        handler = root.handlers[0]
        if type(handler) is LineHandler and handler.is_plain:
            handler.write_line(_encode(line))
            return
    fields: dict[str, Any] = msgspec.to_builtins(line)
    for name in ("timestamp", "level", "logger", "event", "service", "version", "environment"):
        del fields[name]
    created = line.timestamp.timestamp()
    log.handle(PreparedRecord(name=line.logger, level=level, event=line.event, created=created, fields=fields))
