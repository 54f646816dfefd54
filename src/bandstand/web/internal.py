"""Internal routes as plain Django views: service token, strict JSON by msgspec, our envelope, and nothing else.

class Reserve(Body):
    order_id: UUID
    ttl_seconds: Annotated[int, msgspec.Meta(ge=1, le=3600)]

def put_reservation(request: HttpRequest, key: str) -> HttpResponse:
    wanted = read_json(request, into=Reserve)
    ...
    return reply(reservation, status=201)

urlpatterns = [
    *routes("internal/v1/reservations/<str:key>/", internal_route({"PUT": put_reservation}, callers={"orders"})),
]
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from bandstand import context
from bandstand.auth import authenticate_service, declare_policy
from bandstand.errors import MethodNotAllowed, NotAcceptable, ValidationFailed
from bandstand.web.negotiation import accepts_json
from bandstand.web.parsers import read_json
from bandstand.web.problems import from_exception

__all__ = ["Body", "internal_route", "read_json", "reply"]

Handler = Callable[..., HttpResponseBase]

_encode = msgspec.json.Encoder(enc_hook=str).encode


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The root of request bodies: unknown fields are refused, nothing is coerced."""


def reply(data: Any = None, *, status: int = 200) -> HttpResponse:
    """Answer with *data* (a struct, dataclass or dict) as JSON; None is an empty body."""
    return HttpResponse(b"" if data is None else _encode(data), status=status, content_type="application/json")


def internal_route(handlers: Mapping[str, Handler], *, callers: Collection[str]) -> Handler:
    """One view for the *handlers* of a route by method, open only to the services named in *callers*.

    The calling service is the principal of the context while a handler runs. Handlers raise; every error is answered
    with its envelope. A query parameter is unknown by definition: 400.
    """
    admitted = frozenset(callers)
    methods = dict(handlers)

    def view(request: HttpRequest, **captured: Any) -> HttpResponseBase:
        bound = context.peek() is not None
        try:
            _authenticate(request, admitted)
            _check(request, methods)
            return methods[request.method or ""](request, **captured)
        except MethodNotAllowed as error:
            response = from_exception(error, request)
            response["Allow"] = ", ".join(sorted(methods))
            return response
        except Exception as error:  # noqa: BLE001 - the edge: every error becomes an answer, and the unexpected is logged
            return from_exception(error, request)
        finally:
            if not bound:  # without EdgeMiddleware nobody else ends the caller's context
                context.bind(None)

    view.csrf_exempt = True  # type: ignore[attr-defined]
    return declare_policy(view, "service: " + ", ".join(sorted(admitted)))


def _check(request: HttpRequest, methods: Mapping[str, Handler]) -> None:
    if request.method not in methods:
        raise MethodNotAllowed
    if not accepts_json(request.META.get("HTTP_ACCEPT")):
        raise NotAcceptable
    if request.META.get("QUERY_STRING"):
        raise ValidationFailed("This route takes no query parameters.")


def _authenticate(request: HttpRequest, callers: frozenset[str]) -> None:
    principal = authenticate_service({"Authorization": request.META.get("HTTP_AUTHORIZATION", "")}, callers=callers)
    context.bind(context.current().acting(principal))
