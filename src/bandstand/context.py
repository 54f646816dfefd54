"""What is known about the work at hand: correlation, trace, deadline, principal.

Set once where work enters (a request, an event, a saga step, a command) and read everywhere: logs, metrics, spans,
outgoing calls, outbox rows. It travels in one context variable, so threads and tasks that copy their context keep it.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from random import getrandbits

import msgspec

from bandstand import clock

__all__ = [
    "CORRELATION_HEADER",
    "REQUEST_HEADER",
    "TIMEOUT_HEADER",
    "TRACEPARENT_HEADER",
    "Context",
    "Principal",
    "bind",
    "bound",
    "current",
    "is_sound_id",
    "new_id",
    "parse_traceparent",
    "peek",
    "remaining",
    "unbind",
    "valid_correlation_id",
]

CORRELATION_HEADER = "X-Correlation-ID"
REQUEST_HEADER = "X-Request-ID"
TRACEPARENT_HEADER = "traceparent"
TIMEOUT_HEADER = "X-Timeout-Ms"
"""How many milliseconds the caller still waits: relative, so that two hosts' clocks are never compared."""

is_sound_id = re.compile(r"[A-Za-z0-9._-]{8,64}").fullmatch
"""Matches a foreign id that may be taken over; `valid_correlation_id` for those who are not in a hurry."""
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """Who acts: a user or a service, as a verified token says. `session` is the refresh family of a user's token."""

    id: str
    kind: str = "user"
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    session: str | None = None
    on_behalf_of: str | None = None

    @property
    def is_staff(self) -> bool:
        """Whether the token carries the role `staff`."""
        return "staff" in self.roles

    # Django and REST framework ask their `request.user` for these three.
    @property
    def pk(self) -> str:
        """The id, under the name Django expects."""
        return self.id

    @property
    def is_authenticated(self) -> bool:
        """Always true: an anonymous caller has no principal."""
        return True

    @property
    def is_anonymous(self) -> bool:
        """Always false: an anonymous caller has no principal."""
        return False


_WIDTHS = {8: "016x", 16: "032x"}


def new_id(size_bytes: int = 16) -> str:
    """A random lower-case hexadecimal id; 16 bytes for traces, 8 for spans."""
    # Ids must be rare, not secret: no system call.
    return format(getrandbits(8 * size_bytes), _WIDTHS.get(size_bytes) or f"0{2 * size_bytes}x")


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """One unit of work. `deadline` is a moment of `clock.monotonic()`; None means unbounded.

    A struct, for each request and each span makes one, and it costs a fifth of a frozen dataclass.
    """

    correlation_id: str = msgspec.field(default_factory=new_id)
    request_id: str = ""
    trace_id: str = msgspec.field(default_factory=new_id)
    span_id: str = msgspec.field(default_factory=lambda: new_id(8))
    parent_span_id: str = ""
    sampled: bool = True
    deadline: float | None = None
    causation_id: str | None = None
    principal: Principal | None = None

    @property
    def traceparent(self) -> str:
        """The W3C header that makes the receiver a child of this span."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"

    def child(self) -> "Context":
        """The same work, one span deeper."""
        return Context(
            correlation_id=self.correlation_id,
            request_id=self.request_id,
            trace_id=self.trace_id,
            span_id=new_id(8),
            parent_span_id=self.span_id,
            sampled=self.sampled,
            deadline=self.deadline,
            causation_id=self.causation_id,
            principal=self.principal,
        )

    def acting(self, principal: Principal | None) -> "Context":
        """The same work, done by *principal*."""
        return msgspec.structs.replace(self, principal=principal)


_current: ContextVar[Context | None] = ContextVar("bandstand_context", default=None)


def current() -> Context:
    """The context of the work at hand; a fresh one where nothing was bound (it is bound from then on)."""
    context = _current.get()
    if context is None:
        context = Context()
        _current.set(context)
    return context


def peek() -> Context | None:
    """The context of the work at hand, or None where nothing was bound; binds nothing."""
    return _current.get()


def bind(context: Context | None) -> Context | None:
    """Make *context* current in this thread or task and return the one it replaces."""
    previous = _current.get()
    _current.set(context)
    return previous


def unbind(previous: Context | None) -> None:
    """Put back what `bind` returned."""
    _current.set(previous)


@contextmanager
def bound(context: Context) -> Iterator[Context]:
    """Run a block within *context*."""
    previous = bind(context)
    try:
        yield context
    finally:
        unbind(previous)


def remaining(default: timedelta | None = None) -> float | None:
    """Seconds until the deadline (at least 0), bounded by *default*; None where neither bounds the work."""
    deadline = current().deadline
    left = None if deadline is None else max(0.0, deadline - clock.monotonic())
    if default is None:
        return left
    return default.total_seconds() if left is None else min(left, default.total_seconds())


def valid_correlation_id(value: str | None) -> bool:
    """Whether a foreign id may be taken over: 8-64 of `A-Z a-z 0-9 . _ -`, so it is harmless in logs and headers."""
    return value is not None and is_sound_id(value) is not None


def parse_traceparent(value: str | None) -> tuple[str, str, bool] | None:
    """Read a W3C `traceparent` into (trace id, parent span id, sampled), or None when it is absent or malformed."""
    if not value or _TRACEPARENT.fullmatch(value) is None:
        return None
    trace_id, span_id = value[3:35], value[36:52]
    if trace_id == _NO_TRACE or span_id == _NO_SPAN:
        return None
    return trace_id, span_id, value[54] in "13579bdf"
