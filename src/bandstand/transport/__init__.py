"""Outbound HTTP behind one contract; the libraries behind it are chosen by a setting and loaded at the first call."""

import logging
import os
import threading

from bandstand.config import section
from bandstand.transport.backends.base import Request, Response, Transport
from bandstand.transport.config import ClientConfig

__all__ = ["ClientConfig", "Request", "Response", "Transport", "make", "shared"]

log = logging.getLogger(__name__)


class _Process:
    """What this process shares; a fork gives the child a new one.

    The parent's transport is kept, unused, in `inherited`: to destroy it would wait for threads that do not exist here.
    """

    def __init__(self, inherited: "_Process | None" = None) -> None:
        self.inherited = inherited
        self.lock = threading.Lock()
        self.transport: Transport | None = None
        self.config: ClientConfig | None = None
        self.native = False

    @property
    def native_runtime_lost(self) -> bool:
        """Whether a forebear had a native client when it forked: its runtime's threads are gone, and it would hang."""
        before = self.inherited
        return before is not None and (before.native or before.native_runtime_lost)


_process = _Process()


def _after_fork() -> None:
    global _process  # noqa: PLW0603 - one per process is the point
    _process = _Process(inherited=_process)


os.register_at_fork(after_in_child=_after_fork)


def shared() -> Transport:
    """The transport of this process, made at the first call and shared by all threads."""
    config = section(ClientConfig)
    process = _process
    if process.transport is None or process.config is not config:
        with process.lock:
            if process.transport is None or process.config is not config:
                process.transport, process.config = make(config), config
    return process.transport


def make(config: ClientConfig) -> Transport:
    """Make a transport of one's own. Raises ImportError when the library that the setting names is not installed."""
    if config.transport == "urllib3" or (config.transport == "" and not _native_is_fit()):
        from bandstand.transport.backends.urllib3 import Urllib3Transport  # noqa: PLC0415 - loaded when used

        return Urllib3Transport(config)
    from bandstand.transport.backends.pyreqwest import PyreqwestTransport  # noqa: PLC0415 - an extra, loaded when used

    _process.native = True
    return PyreqwestTransport(config)


def _native_is_fit() -> bool:
    if _process.native_runtime_lost:
        log.warning("transport.native_unavailable", extra={"reason": "the parent process used it before the fork"})
        return False
    try:
        import pyreqwest  # noqa: F401, PLC0415 - an extra
    except ImportError:
        return False
    return True
