"""Bounded names for what is requested: route templates and known methods, never a path."""

import re
from functools import lru_cache

__all__ = ["METHODS", "UNMATCHED", "template_of"]

UNMATCHED = "unmatched"
"""The one value for all that matched no route."""
METHODS = {name: name for name in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")}
"""The known methods; for one that a client made up OpenTelemetry says `_OTHER`."""
_CONVERTER = re.compile(r"<(?:\w+:)?(\w+)>")
_GROUP = re.compile(r"\(\?P<(\w+)>(?:[^()\\]|\\.|\((?:[^()\\]|\\.)*\))*\)")


@lru_cache(maxsize=1024)
def template_of(route: str) -> str:
    """Write a Django route, of `path` or of `re_path`, as a template."""
    plain = _CONVERTER.sub(r"{\1}", _GROUP.sub(r"{\1}", route))
    plain = plain.replace("/?", "/").replace("\\Z", "").replace("\\.", ".").replace("\\-", "-")
    return "/" + plain.translate({ord("^"): None, ord("$"): None}).lstrip("/")
