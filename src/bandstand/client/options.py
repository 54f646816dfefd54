"""What a call may ask for, and what it gives back."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, TypedDict

import msgspec

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    T = TypeVar("T", default=Any)
else:
    from typing import TypeVar

    T = TypeVar("T")

__all__ = ["CallOptions", "Reply", "T"]


class CallOptions(TypedDict, total=False):
    """The keywords of every verb."""

    params: Mapping[str, object]
    """Query parameters; None is left out, a list repeats the name, booleans are written `true` and `false`."""
    body: object
    """Anything msgspec writes as JSON; bytes go out as they are."""
    headers: Mapping[str, str]
    timeout: timedelta
    """For the whole call with its retries; the deadline of the work at hand still bounds it."""
    idempotency_key: str
    """Makes a POST or PATCH repeatable: sent as `Idempotency-Key`, the same for every attempt."""
    answers: Collection[int]
    """Statuses outside 2xx that are answers of the contract and come back as a reply instead of an error."""


class Reply(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """An answer. `data` is the decoded body, or None where there is none (204, empty)."""

    status: int
    data: T
    headers: Mapping[str, str] = {}
    """Names in lower case."""
