"""The sagas declared in this process, by name."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bandstand.sagas.definition import Saga

__all__ = ["Registry", "sagas"]


class Registry:
    """Sagas by name; listeners hear of those declared before and after they began to listen."""

    def __init__(self) -> None:
        self._sagas: dict[str, Saga] = {}
        self._listeners: list[Callable[[Saga], None]] = []

    def add(self, saga: "Saga") -> None:
        """Declare *saga*. Raises ValueError when another class has taken its name."""
        known = self._sagas.get(saga.name)
        if known is not None and _path(known) != _path(saga):
            raise ValueError(f"two sagas are named {saga.name!r}: {_path(known)} and {_path(saga)}")
        self._sagas[saga.name] = saga
        for listener in self._listeners:
            listener(saga)

    def listen(self, listener: Callable[["Saga"], None]) -> None:
        """Call *listener* with each saga, those already declared first."""
        self._listeners.append(listener)
        for saga in self:
            listener(saga)

    def get(self, name: str) -> "Saga | None":
        """The saga called *name*, or None when this process does not know it."""
        return self._sagas.get(name)

    def names(self) -> list[str]:
        """The names of all sagas this process can run."""
        return list(self._sagas)

    def __iter__(self) -> Iterator["Saga"]:
        return iter(list(self._sagas.values()))


def _path(saga: "Saga") -> str:
    return f"{type(saga).__module__}.{type(saga).__qualname__}"


sagas = Registry()
