"""The pure part of a call: a request written, an answer read, an error told apart. No sockets, no clock."""

import re
from collections.abc import Collection, Hashable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, TypeVar, cast
from urllib.parse import urlencode

import msgspec

from bandstand.client.options import Reply
from bandstand.errors import (
    ServiceError,
    ServiceHTTPError,
    ServiceUnavailable,
    error_from,
)
from bandstand.transport import Response

__all__ = ["encoded", "error_of", "is_answer", "reply_of", "retry_after", "target_url"]

T = TypeVar("T")

_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")
_DOTS = re.compile(r"/\.\.?(/|$)")
_DECODERS = 256


def target_url(base: str, path: str, params: Mapping[str, object] | None) -> str:
    """Join a base URL, a path and query parameters.

    Raises ValueError for a path that an identifier inside it could have bent: dots that climb, a query, a fragment.
    """
    if _PATH.fullmatch(path) is None or "//" in path or ("/." in path and _DOTS.search(path)):
        raise ValueError(f"{path!r} is no plain absolute path; parameters go into `params`")
    if not params:
        return base + path
    query = urlencode([(name, text) for name, value in params.items() for text in _texts(value)])
    return f"{base}{path}?{query}" if query else base + path


def _texts(value: object) -> list[str]:
    if value is None:
        return []
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, list | tuple | set | frozenset):
        return [text for item in value for text in _texts(item)]
    return [str(value)]


def encoded(body: object) -> bytes | None:
    """Write a body as JSON; bytes stay as they are and None is no body."""
    if body is None or isinstance(body, bytes):
        return body
    return msgspec.json.encode(body)


@lru_cache(maxsize=_DECODERS)
def _decoder(into: Hashable) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(cast("Any", into))


def reply_of(response: Response, into: type[T] | None) -> Reply[T]:
    """Read an answer that counts as one. Raises ServiceHTTPError when its body is not what *into* says."""
    return Reply(status=response.status, headers=response.headers, data=cast("T", _data(response, into)))


def _data(response: Response, into: type[Any] | None) -> Any:
    if into is bytes:
        return response.body
    if not response.body and into is None:
        return None
    if _is_encoded(response) or not _is_json(response):
        raise _unreadable(response)
    try:
        return _decoder(cast("Hashable", into or Any)).decode(response.body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise _unreadable(response) from error


def _is_encoded(response: Response) -> bool:
    """We never offer compression; an answer that comes compressed could be a bomb."""
    return response.headers.get("content-encoding", "identity") != "identity"


def _is_json(response: Response) -> bool:
    given = response.headers.get("content-type", "")
    media = given if given == "application/json" else given.partition(";")[0].strip().lower()
    return media == "application/json" or media.endswith("+json")


def _unreadable(response: Response) -> ServiceHTTPError:
    return ServiceHTTPError(
        "The answer cannot be read.", status_code=response.status, body=response.body, reason="unreadable"
    )


def retry_after(response: Response, *, now: datetime) -> int | None:
    """The seconds that `Retry-After` asks for, given as a number or a date; None when absent or malformed."""
    value = response.headers.get("retry-after", "")
    if value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    return max(0, round((moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()))


def is_answer(response: Response, answers: Collection[int]) -> bool:
    """Whether this status is an answer rather than an error. A redirect never is: to follow it would lose the body."""
    return 200 <= response.status < 300 or response.status in answers


def error_of(response: Response, *, target: str, now: datetime) -> ServiceError:
    """The error that an answer means to the caller.

    Our own envelope with a 4xx, 503 or 504 becomes the same class again. Everything else (refused credentials, other
    5xx, redirects, a 4xx that some proxy wrote) is a ServiceHTTPError: no answer of the contract, effect unknown.
    """
    wait = retry_after(response, now=now)
    known = _typed(response, wait)
    if known is not None:
        return known
    if response.status == 503:  # whoever wrote it, it says "later"
        return ServiceUnavailable(retry_after=wait, service_name=target)
    error = ServiceHTTPError(
        f"{target} answered {response.status}.",
        status_code=response.status,
        body=response.body,
        service_name=target,
    )
    error.retry_after = wait
    return error


def _typed(response: Response, wait: int | None) -> ServiceError | None:
    status = response.status
    if status == 401 or not (400 <= status < 500 or status in (503, 504)) or _is_encoded(response):
        return None
    try:
        fault = msgspec.json.decode(response.body, type=_Envelope).error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    error = error_from(code=fault.code, message=fault.message, details=fault.details, retry_after=wait)
    return error if error is not None and error.status == status else None


class _Fault(msgspec.Struct):
    code: str
    message: str
    details: dict[str, Any] = {}


class _Envelope(msgspec.Struct):
    error: _Fault
