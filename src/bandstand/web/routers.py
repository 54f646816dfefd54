"""Routes that exist with and without their trailing slash, so that nothing is ever redirected.

A redirected POST arrives as a GET: the list comes back with 200 and nothing was created.
"""

from collections.abc import Callable
from typing import Any

from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, re_path
from rest_framework.routers import SimpleRouter

__all__ = ["Router", "routes"]

View = Callable[..., HttpResponseBase]


def routes(route: str, view: View, *, name: str | None = None) -> list[URLPattern]:
    """The pair of paths for *route*; the one with the slash has the *name*, so it is what `reverse` gives."""
    bare = route.rstrip("/")
    return [path(f"{bare}/", view, name=name), path(bare, view)]


class Router(SimpleRouter):
    """REST framework's router with every route in both spellings, without format suffixes and API root."""

    def get_urls(self) -> list[Any]:
        """The routes of the registered viewsets."""
        found: list[Any] = []
        for pattern in super().get_urls():
            found.append(pattern)
            expression = str(pattern.pattern)
            if isinstance(pattern, URLPattern) and expression.endswith("/$"):
                found.append(re_path(f"{expression[:-2]}$", pattern.callback, pattern.default_args))
        return found
