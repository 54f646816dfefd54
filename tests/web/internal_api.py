"""Internal routes of a small service."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from bandstand import context
from bandstand.errors import BusinessRuleViolated
from bandstand.web.docs import documentation_routes
from bandstand.web.internal import Body, internal_route, read_json, reply
from bandstand.web.routers import routes


class Line(Body):
    product_id: UUID
    quantity: Annotated[int, msgspec.Meta(ge=1, le=1000)]


class Reserve(Body):
    order_id: UUID
    lines: Annotated[list[Line], msgspec.Meta(min_length=1, max_length=50)]
    ttl_seconds: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 60


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    caller: str
    lines: int


def put(request: HttpRequest, key: str) -> HttpResponse:
    wanted = read_json(request, into=Reserve)
    if wanted.ttl_seconds == 13:
        raise BusinessRuleViolated(business_rule="unlucky")
    principal: Any = context.current().principal
    return reply(Reservation(key=key, caller=principal.id, lines=len(wanted.lines)), status=201)


def delete(request: HttpRequest, key: str) -> HttpResponse:
    raise RuntimeError("secret cause")


urlpatterns = [
    *routes("internal/v1/reservations/<str:key>/", internal_route({"PUT": put, "DELETE": delete}, callers={"orders"})),
    path("api/v1/", include("tests.web.api")),
    path("api/v1/", include(documentation_routes("shop"))),
]

handler404 = "bandstand.web.problems.not_found"
handler500 = "bandstand.web.problems.server_error"
