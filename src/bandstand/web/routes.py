"""Bounded names for what is requested: route templates and known methods, never a path."""

import re
from functools import lru_cache

from django.http import HttpRequest

__all__ = ["UNMATCHED", "method_of", "route_of"]

UNMATCHED = "unmatched"
_METHODS = {name: name for name in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")}
_CONVERTER = re.compile(r"<(?:\w+:)?(\w+)>")
_GROUP = re.compile(r"\(\?P<(\w+)>(?:[^()\\]|\\.|\((?:[^()\\]|\\.)*\))*\)")


def method_of(request: HttpRequest) -> str:
    """The method, or OpenTelemetry's `_OTHER` for one that a client made up."""
    return _METHODS.get(request.method or "", "_OTHER")


def route_of(request: HttpRequest) -> str:
    """The template of the matched route, as `/api/v1/orders/{id}/`; one value for all that matched nothing."""
    match = request.resolver_match
    return template_of(match.route) if match is not None else UNMATCHED


@lru_cache(maxsize=1024)
def template_of(route: str) -> str:
    """Write a Django route, of `path` or of `re_path`, as a template."""
    plain = _CONVERTER.sub(r"{\1}", _GROUP.sub(r"{\1}", route))
    plain = plain.replace("/?", "/").replace("\\Z", "").replace("\\.", ".").replace("\\-", "-")
    return "/" + plain.translate({ord("^"): None, ord("$"): None}).lstrip("/")
