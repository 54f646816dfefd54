"""A project whose own handler of errors fails."""

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from tests.web_edge.routes import urlpatterns as routes

urlpatterns: list[URLPattern] = routes


def handler500(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("the handler of errors is broken")
