"""Views that answer in every way the edge has to cope with."""

import asyncio

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import URLPattern, path, re_path

from bandstand import context


def ok(request: HttpRequest) -> HttpResponse:
    work = context.current()
    return JsonResponse({"correlation_id": work.correlation_id, "left": context.remaining()})


def item(request: HttpRequest, pk: int) -> HttpResponse:
    return JsonResponse({"id": pk})


def queries(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.execute("SELECT 2")
    return HttpResponse("done")


def crash(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("secret cause")


def refuse(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=409)


def signed_in(request: HttpRequest) -> HttpResponse:
    context.bind(context.current().child().acting(context.Principal(id="u-1")))
    return HttpResponse("hello")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse([b"a", b"b"])


def nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=204)


def body(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.body)


def environment(request: HttpRequest) -> HttpResponse:
    return JsonResponse({name: str(value) for name, value in request.META.items()})


async def aok(request: HttpRequest) -> HttpResponse:
    await asyncio.sleep(0)
    return JsonResponse({"correlation_id": context.current().correlation_id})


async def acrash(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("secret cause")


urlpatterns: list[URLPattern] = [
    path("ok", ok),
    path("items/<int:pk>/", item),
    re_path(r"^things/(?P<pk>[^/.]+)/?$", item),
    path("queries", queries),
    path("crash", crash),
    path("refuse", refuse),
    path("signed-in", signed_in),
    path("stream", stream),
    path("nothing", nothing),
    path("body", body),
    path("environment", environment),
    path("aok", aok),
    path("acrash", acrash),
]
