"""One line of JSON per event, through the standard library: `logging.getLogger(__name__).info("a.b", extra={...})`.

Every line says who wrote it and within which piece of work; whatever a caller or a user put into a value is escaped by
a real serialiser and redacted first. Lines of other libraries (server, Django) take the same way.
"""

import json
import logging
import logging.config
import os
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec

from bandstand import context
from bandstand.config import Identity, identity
from bandstand.observability.redaction import clean, clean_text

__all__ = [
    "ConsoleFormatter",
    "JsonFormatter",
    "LineHandler",
    "PreparedRecord",
    "configure_logging",
    "logging_config",
    "set_level",
]

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "request", "server_time"}
_OWN = frozenset(
    {"timestamp", "level", "logger", "event", "service", "version", "environment", "instance"}
    | {"correlation_id", "trace_id", "span_id", "exception", "stack"}
)
_LEVELS = {"CRITICAL": "critical", "ERROR": "error", "WARNING": "warning", "INFO": "info", "DEBUG": "debug"}
_encode = msgspec.json.Encoder().encode


class PreparedRecord(logging.LogRecord):
    """A record whose fields are clean, ordered and complete; handlers and formatters read it like any other."""

    def __init__(self, *, name: str, level: int, event: str, created: float, fields: dict[str, Any]) -> None:
        super().__init__(name, level, "", 0, event, None, None)
        self.created = created
        self.msecs = created % 1 * 1000
        self.__dict__.update(fields)
        self.prepared = fields


class JsonFormatter(logging.Formatter):
    """Renders a record as one line of JSON."""

    _identity: Identity | None = None
    _who: dict[str, str]

    def format(self, record: logging.LogRecord) -> str:
        """Render the line as text, without a newline."""
        return self.format_bytes(record).decode()

    def format_bytes(self, record: logging.LogRecord) -> bytes:
        """Render the line as UTF-8, without a newline."""
        line = self.fields_of(record)
        try:
            return _encode(line)
        except (TypeError, ValueError):  # lone surrogates, which are no UTF-8: slower, and they become question marks
            return json.dumps(line, default=str, ensure_ascii=False).encode(errors="replace")

    def fields_of(self, record: logging.LogRecord) -> dict[str, Any]:
        """Everything the line says, cleaned, in the order in which it is written."""
        prepared: dict[str, Any] | None = getattr(record, "prepared", None)
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC),
            "level": _LEVELS.get(record.levelname, record.levelname),
            "logger": record.name,
            "event": record.msg if prepared is not None else clean_text(_message(record)),
            **self._speaker(),
        }
        work = context.peek()
        if work is not None:
            line["correlation_id"] = work.correlation_id
            line["trace_id"] = work.trace_id
            line["span_id"] = work.span_id
        line.update(_extras(record) if prepared is None else prepared)
        if record.exc_info:
            line["exception"] = clean_text(record.exc_text or self.formatException(record.exc_info))
        if record.stack_info:
            line["stack"] = clean_text(record.stack_info)
        return line

    def _speaker(self) -> dict[str, str]:
        try:
            who = identity()
        except Exception:  # noqa: BLE001 - lines written before or despite broken settings still go out
            return {}
        if who is not self._identity:
            self._identity = who
            named = {"service": who.name, "version": who.version, "environment": who.environment}
            self._who = {**named, "instance": who.instance} if who.instance else named
        return self._who


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - wrong arguments are a fault of the line, not of the request
        return f"{record.msg} {record.args!r}"


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    return {
        (f"extra.{key}" if key in _OWN else key): clean(key, value)
        for key, value in vars(record).items()
        if key not in _STANDARD
    }


class ConsoleFormatter(JsonFormatter):
    """Renders the same fields for a person; in colour when *colour* is set."""

    _COLOURS = {"error": "31", "critical": "31;1", "warning": "33", "info": "32", "debug": "2"}
    _HIDDEN = frozenset({"timestamp", "level", "logger", "event", "version", "environment", "instance", "exception"})

    def __init__(self, *, colour: bool | None = None) -> None:
        super().__init__()
        self._colour = sys.stdout.isatty() if colour is None else colour

    def format_bytes(self, record: logging.LogRecord) -> bytes:
        """Render `time LEVEL event key=value …`; a traceback follows on its own lines."""
        line = self.fields_of(record)
        shown = " ".join(
            f"{key}={_encode(value).decode()}" for key, value in line.items() if key not in self._HIDDEN | {"span_id"}
        )
        level = f"{line['level']:<8}"
        if self._colour:
            level = f"\x1b[{self._COLOURS.get(line['level'], '0')}m{level}\x1b[0m"
        event = _encode(line["event"]).decode()[1:-1]  # escaped: a value may hold line breaks and terminal codes
        text = f"{line['timestamp']:%H:%M:%S.%f} {level} {event} {shown}"
        return "\n".join(filter(None, [text, line.get("exception")])).encode(errors="backslashreplace")


class LineHandler(logging.Handler):
    """Writes each line with a single system call, so that the lines of several processes do not mix."""

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__()
        self._stream = stream or sys.stdout
        try:
            self._descriptor = self._stream.fileno()
        except (OSError, ValueError):
            self._descriptor = -1

    @property
    def is_plain(self) -> bool:
        """Whether the handler writes JSON of every record: no filter, no level, no other formatter."""
        return type(self.formatter) is JsonFormatter and not self.filters and not self.level

    def write_line(self, line: bytes) -> None:
        """Write a line that is formatted already; a failure is reported the standard way, never to the caller."""
        try:
            if self._descriptor < 0:
                self._stream.write(line.decode() + "\n")
                self._stream.flush()
                return
            written = os.write(self._descriptor, line + b"\n")
            while written <= len(line):  # a signal came in between
                written += os.write(self._descriptor, (line + b"\n")[written:])
        except Exception:  # noqa: BLE001 - as every handler of the standard library does
            self.handleError(logging.makeLogRecord({"msg": "a line was lost"}))

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record; a failure is reported the standard way and never reaches the caller."""
        try:
            formatter = self.formatter
            if isinstance(formatter, JsonFormatter):
                line = formatter.format_bytes(record)
            else:
                line = self.format(record).encode(errors="backslashreplace")
        except Exception:  # noqa: BLE001 - as every handler of the standard library does
            self.handleError(record)
        else:
            self.write_line(line)


def logging_config(*, level: str = "INFO", format: str = "json", stream: str = "stdout") -> dict[str, Any]:  # noqa: A002
    """Build Django's `LOGGING`: one handler on the root logger, *format* `json` or `console`, *stream* of `sys`."""
    formatter = {"json": JsonFormatter, "console": ConsoleFormatter}[format]
    # Servers and Django bring handlers of their own; without them their records reach the root like all others.
    plain = {"handlers": [], "propagate": True}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter}},
        "handlers": {"line": {"()": LineHandler, "formatter": "line", "stream": f"ext://sys.{stream}"}},
        "root": {"level": level, "handlers": ["line"]},
        "loggers": {
            **dict.fromkeys(("gunicorn.error", "uvicorn", "uvicorn.error", "_granian", "celery", "django"), plain),
            # The access line says all that these repeat.
            **{name: {**plain, "level": "WARNING"} for name in ("django.server", "uvicorn.access", "gunicorn.access")},
            "django.request": {**plain, "level": "ERROR"},
            "django.security.DisallowedHost": {**plain, "level": "CRITICAL"},
        },
    }


def configure_logging(*, level: str = "INFO", format: str = "json", stream: str = "stdout") -> None:  # noqa: A002
    """Apply `logging_config` to a process that is no Django project."""
    logging.config.dictConfig(logging_config(level=level, format=format, stream=stream))


def set_level(level: str, *, logger: str = "") -> None:
    """Change the level of *logger* (default: the root) in this process, at once. Raises ValueError for no level."""
    logging.getLogger(logger).setLevel(level)
