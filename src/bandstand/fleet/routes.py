"""What the gateway lets through: declared routes, the most specific first."""

import re
from collections.abc import Iterable

import msgspec

__all__ = ["Route", "by_specificity", "parse_route"]

_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_SEGMENTS = re.compile(r"(/([A-Za-z0-9._~-]+|\{[a-z_]+\}))+/?")
# Nothing under these roots may be declared: they are for callers inside the fleet.
_PRIVATE = ("internal", "metrics", "livez", "readyz", "startupz", "health", "admin", "healthz")


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One declared route of *service*; an empty `method` is any."""

    service: str
    path: str
    method: str = ""

    @property
    def is_template(self) -> bool:
        """Whether the path has `{parameters}`."""
        return "{" in self.path

    @property
    def is_subtree(self) -> bool:
        """Whether everything below the path belongs to it."""
        return self.path.endswith("/") and not self.is_template

    def pattern(self) -> str:
        """The path of a template as a regular expression; a parameter is one segment, the last slash optional."""
        parts = [
            "[^/]+" if part.startswith("{") else re.escape(part).replace(r"\-", "-")
            for part in self.path.strip("/").split("/")
        ]
        return "/" + "/".join(parts) + "/?"


def parse_route(text: str, *, service: str) -> Route:
    """Read `[METHOD ]/path`. Raises ValueError, saying what is wrong."""
    method, _, path = text.rpartition(" ")
    if method and method not in _METHODS:
        raise ValueError(f"has the unknown method {method!r}; expected one of {', '.join(sorted(_METHODS))}")
    if not _SEGMENTS.fullmatch(path) or "/../" in f"{path}/" or "/./" in f"{path}/":
        raise ValueError("is no path; expected /segments/ of letters, digits, ._~- and {parameters}")
    if path.split("/")[1] in _PRIVATE:
        raise ValueError("is never reachable through the gateway")
    return Route(service=service, path=path, method=method)


def by_specificity(routes: Iterable[Route]) -> list[Route]:
    """Order *routes* so that the first match is the right one: templates and exact paths, then longer subtrees."""
    return sorted(routes, key=lambda route: (route.is_subtree, -len(route.path), not route.method, route.path))
