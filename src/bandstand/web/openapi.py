"""What an endpoint takes and answers, said once beside the handler.

The view enforces the declaration (unknown query parameters are refused), the OpenAPI document is generated from it.
Nothing of drf-spectacular is imported here: a service that only serves pays nothing for its documentation.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from bandstand.errors import ServiceError
from bandstand.web.queryparams import NoQuery

__all__ = ["Endpoint", "endpoint_of"]

H = TypeVar("H", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A decorator for handlers: `@Endpoint(body=PlaceOrder, answers={202: OrderAnswer}, idempotency="required")`.

    `body` and the values of `answers` are serializer classes or instances (None: no content). `query` is a msgspec
    struct (see `queryparams`), of which only staff may use those in `staff_query`. `errors` are the errors of the
    domain; what every endpoint can answer is added by itself.
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
