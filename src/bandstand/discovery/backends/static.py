"""Addresses fixed by the configuration."""

from collections.abc import Iterable, Mapping
from typing import ClassVar

from bandstand.discovery.backends.base import Resolver

__all__ = ["StaticResolver"]


class StaticResolver(Resolver):
    """A mapping from service to base URLs. Names are compared with `-` and `_` as the same character."""

    name: ClassVar[str] = "static"

    def __init__(self, services: Mapping[str, str | Iterable[str]]) -> None:
        self._services = {
            service.replace("_", "-"): tuple(
                url.rstrip("/") for url in ((urls,) if isinstance(urls, str) else tuple(urls))
            )
            for service, urls in services.items()
        }

    def resolve(self, service: str) -> tuple[str, ...]:
        """The configured base URLs."""
        return self._services.get(service.replace("_", "-"), ())
