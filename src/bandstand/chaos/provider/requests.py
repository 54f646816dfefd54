"""Reading requests strictly: whatever is not exactly the protocol is a `BadRequest` that says why."""

import re
from datetime import datetime
from typing import Annotated, Literal, TypeVar
from urllib.parse import parse_qsl, unquote

import msgspec

__all__ = ["BadRequest", "ChargeBody", "ControlBody", "RefundBody", "WebhookBody", "page_asked", "read", "segment"]

_Amount = Annotated[int, msgspec.Meta(ge=1, le=10**12)]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
_KEY = re.compile(r"[A-Za-z0-9._:-]{1,255}")
_PAGE = re.compile(r"[1-9][0-9]{0,8}")

T = TypeVar("T")


class BadRequest(Exception):
    """The request is not one of the protocol; answered 400."""


class _Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class ChargeBody(_Body, frozen=True, kw_only=True):
    """`PUT /v1/charges/{key}`: *amount* in minor units."""

    amount: _Amount
    currency: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}$", max_length=3)]
    payment_method: _Name
    reference: _Name


class RefundBody(_Body, frozen=True, kw_only=True):
    """`PUT /v1/charges/{key}/refunds/{refund_key}`."""

    amount: _Amount


class WebhookBody(_Body, frozen=True, kw_only=True):
    """`PUT /v1/webhook`."""

    url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s/]+", max_length=2000)]
    secret: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]


class ControlBody(_Body, frozen=True, kw_only=True):
    """`POST /v1/control`."""

    mode: Literal["up", "down"]


def read(body: bytes, kind: type[T]) -> T:
    """Read *body* as *kind*, without converting anything. Raises BadRequest."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(str(error)) from error


def segment(text: str) -> str:
    """A key from the path. Raises BadRequest."""
    key = unquote(text)
    if not _KEY.fullmatch(key):
        raise BadRequest("A key is 1 to 255 of A-Z a-z 0-9 . _ : -")
    return key


def page_asked(query: str) -> tuple[datetime | None, int]:
    """`?since=<RFC 3339>&page=<number>`. Raises BadRequest."""
    since, number = None, 1
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError as error:
        raise BadRequest("The query is malformed.") from error
    for name, value in pairs:
        if name == "since":
            since = _moment(value)
        elif name == "page" and _PAGE.fullmatch(value):
            number = int(value)
        else:
            raise BadRequest(f"{name!r} is unknown or has no such value.")
    return since, number


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadRequest("since is an RFC 3339 time.") from error
    if moment.tzinfo is None:
        raise BadRequest("since needs a time zone: end it with Z.")
    return moment
