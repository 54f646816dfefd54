"""What an endpoint takes and answers, said once beside the handler, and the document made from it.

The view enforces the declaration (unknown query parameters are refused), the OpenAPI document is generated from it.
drf-spectacular is imported when the document is first asked for: a service that only serves pays nothing for it.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from rest_framework.schemas.inspectors import ViewInspector

from bandstand.errors import ServiceError
from bandstand.web.queryparams import NoQuery

__all__ = ["Endpoint", "LazySchema", "document", "endpoint_of"]

H = TypeVar("H", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A decorator for handlers: `@Endpoint(body=PlaceOrder, answers={202: OrderAnswer}, idempotency="required")`.

    `body` and the values of `answers` are serializer classes or instances, an answer may also be a JSON schema (None:
    no content). `query` is a msgspec struct (see `queryparams`); only staff may use those of its parameters that
    `staff_query` names. `errors` are the errors of the domain: what every endpoint can answer is added by itself.
    """

    summary: str = ""
    body: Any = None
    answers: Mapping[int, Any] = field(default_factory=dict)
    query: type[Any] = NoQuery
    staff_query: frozenset[str] = frozenset()
    paginated: bool = False
    errors: tuple[type[ServiceError], ...] = ()
    idempotency: Literal["", "accepted", "required"] = ""
    etag: bool = False

    def __call__(self, handler: H) -> H:
        """Note the declaration on *handler*."""
        handler.endpoint = self  # type: ignore[attr-defined]
        return handler


_UNDECLARED = Endpoint()


def endpoint_of(view: Any, method: str) -> Endpoint:
    """What the handler of *method* on a REST framework view declares; without a declaration, nothing but a path."""
    handler = getattr(view, getattr(view, "action", None) or method.lower(), None)
    declared: Endpoint = getattr(handler, "endpoint", _UNDECLARED)
    return declared


class LazySchema(ViewInspector):
    """REST framework's `DEFAULT_SCHEMA_CLASS`: stands in until the document is generated."""


@functools.cache
def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document of this service; made once per process, in a stable order, so that it can be diffed."""
    from bandstand.web.schema import generate  # noqa: PLC0415 - see the module's docstring

    return generate()
