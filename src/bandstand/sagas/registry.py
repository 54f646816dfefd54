"""The sagas declared in this process, by name."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bandstand.sagas.definition import Saga

__all__ = ["Registry", "sagas"]


class Registry:
    """Sagas by name and version; listeners hear of those declared before and after they began to listen."""

    def __init__(self) -> None:
        self._sagas: dict[str, dict[int, Saga]] = {}
        self._listeners: list[Callable[[Saga], None]] = []

    def add(self, saga: "Saga") -> None:
        """Declare *saga*. Raises ValueError when another class has taken its name and version."""
        versions = self._sagas.setdefault(saga.name, {})
        known = versions.get(saga.version)
        if known is not None and _path(known) != _path(saga):
            named = f"two sagas are named {saga.name!r} and of version {saga.version}"
            raise ValueError(f"{named}: {_path(known)} and {_path(saga)}")
        versions[saga.version] = saga
        for listener in self._listeners:
            listener(saga)

    def listen(self, listener: Callable[["Saga"], None]) -> None:
        """Call *listener* with each saga, those already declared first."""
        self._listeners.append(listener)
        for saga in self:
            listener(saga)

    def get(self, name: str, version: int | None = None) -> "Saga | None":
        """The saga of this name and version, the newest without one; None when this process does not know it."""
        versions = self._sagas.get(name, {})
        return versions.get(max(versions, default=0) if version is None else version)

    def heir(self, name: str, version: int) -> "Saga | None":
        """The saga by which one of this version goes on here: its own version, or else the newest."""
        return self.get(name, version) or self.get(name)

    def is_newest(self, saga: "Saga") -> bool:
        """Whether new sagas of its name begin as this one."""
        return self.get(saga.name) is saga

    def versions(self) -> dict[str, set[int]]:
        """The versions that this process can go on with, by name: the declared ones, and those it upgrades from."""
        return {
            name: {*versions, *(older for saga in versions.values() for older in saga.upgrades)}
            for name, versions in self._sagas.items()
        }

    def __iter__(self) -> Iterator["Saga"]:
        return iter([saga for versions in self._sagas.values() for saga in versions.values()])


def _path(saga: "Saga") -> str:
    return f"{type(saga).__module__}.{type(saga).__qualname__}"


sagas = Registry()
