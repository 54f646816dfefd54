"""Addresses from a registry file that somebody replaces whenever an instance comes or goes."""

import json
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from bandstand.discovery.backends.base import Resolver
from bandstand.resilience import WatchedFile

__all__ = ["RegistryFileResolver"]

_EVERY = timedelta(milliseconds=50)


class RegistryFileResolver(Resolver):
    """Reads `{"services": {"users": ["http://127.0.0.1:18101"]}}`; a change is seen within 50 ms."""

    name: ClassVar[str] = "registry_file"

    def __init__(self, path: Path) -> None:
        self._file: WatchedFile[dict[str, tuple[str, ...]]] = WatchedFile(path, parse=_parse, empty={}, every=_EVERY)

    def resolve(self, service: str) -> tuple[str, ...]:
        """The base URLs in the file."""
        return self._file.get().get(service, ())

    def expire(self) -> None:
        """Look at the file now."""
        self._file.refresh()


def _parse(content: bytes) -> dict[str, tuple[str, ...]]:
    try:
        services = json.loads(content)["services"]
        return {name: tuple(str(url).rstrip("/") for url in urls) for name, urls in services.items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it is no registry: {error!r}") from error
