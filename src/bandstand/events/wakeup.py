"""Who is told that there is work: loops of this process at once, those of other processes through the bus."""

import logging
import threading
from collections.abc import Callable

__all__ = ["consumers", "listen", "relay"]

log = logging.getLogger(__name__)

_listeners: dict[str, list[Callable[[], None]]] = {"relay": [], "consumers": []}
_guard = threading.Lock()


def listen(name: str, wake: Callable[[], None]) -> Callable[[], None]:
    """Have *wake* called when there is work for the loop *name*; the returned function ends it."""
    with _guard:
        _listeners[name].append(wake)

    def stop() -> None:
        with _guard:
            _listeners[name].remove(wake)

    return stop


def relay() -> None:
    """Tell the relay of this service that the outbox has rows. Never raises: the safety poll finds them anyway."""
    _wake("relay")


def consumers() -> None:
    """Tell the consumer loop of this service that waiting rows are due."""
    _wake("consumers")


def _wake(name: str) -> None:
    for wake in list(_listeners[name]):
        wake()
