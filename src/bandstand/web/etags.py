"""ETags of single resources, and updates that fail rather than overwrite what somebody else changed.

    def etag_of(product: Product) -> str:
        return etag(product.pk, product.updated_at)

    product = commands.update_product(pk, changes=…, check=precondition(request, etag_of=etag_of))
    return tagged(Response(…), etag_of(product))

The command calls *check* with the row once it holds its lock: a comparison before the transaction only tells of the
past.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Any, TypeVar

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from bandstand.errors import PreconditionFailed, ValidationFailed

__all__ = ["etag", "not_modified", "precondition", "tagged"]

T = TypeVar("T")
R = TypeVar("R", bound=HttpResponseBase)

_TAG = r'(?:W/)?"[\x21\x23-\x7e]*"'
_TAGS = re.compile(rf"\s*{_TAG}\s*(?:,\s*{_TAG}\s*)*", re.ASCII)
_EACH = re.compile(_TAG, re.ASCII)
_LONGEST = 4096


def etag(*parts: object) -> str:
    """A strong tag for the state that *parts* describe, such as the key and the time of the last change."""
    text = "\0".join(str(part) for part in parts)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def tagged(response: R, tag: str) -> R:
    """Put *tag* on *response* and return it."""
    response["ETag"] = tag
    return response


def precondition(request: Request | HttpRequest, *, etag_of: Callable[[T], str]) -> Callable[[T], None]:
    """A check for the command: it raises PreconditionFailed when the row is not the one that If-Match names.

    Without If-Match every row passes. A malformed header raises ValidationFailed here, before anything is locked.
    """
    expected = _tags(request, "If-Match")

    def check(row: T) -> None:
        # Strong comparison (RFC 9110, 13.1.1): a weak tag never matches.
        if expected is not None and "*" not in expected and etag_of(row) not in expected:
            raise PreconditionFailed

    return check


def not_modified(request: Request | HttpRequest, tag: str) -> HttpResponse | None:
    """A 304 when If-None-Match names *tag*, so that the body need not be made; else None."""
    known = _tags(request, "If-None-Match")
    if known is None or not ("*" in known or tag in {each.removeprefix("W/") for each in known}):
        return None
    return tagged(HttpResponse(status=304), tag)


def _tags(request: Request | HttpRequest, header: str) -> frozenset[str] | None:
    meta: dict[str, Any] = request.META
    value = meta.get("HTTP_" + header.upper().replace("-", "_"))
    if value is None:
        return None
    if value.strip() == "*":
        return frozenset("*")
    if len(value) > _LONGEST or not _TAGS.fullmatch(value):
        raise ValidationFailed(field_errors={header: ["Expected entity tags."]}, **{"in": "header"})
    return frozenset(_EACH.findall(value))
