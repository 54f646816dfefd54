"""The moment from which this process takes no new work."""

import logging
import threading

from bandstand import health

__all__ = ["begin_drain", "end_drain", "is_draining"]

log = logging.getLogger(__name__)

_draining = threading.Event()


def begin_drain() -> None:
    """Turn readiness to 503, so that gateways and probes take this process out; what is in flight goes on.

    Returns at once and never waits for requests: waiting here would block the thread that has to finish them.
    """
    if not _draining.is_set():
        _draining.set()
        health.withdraw("draining")
        log.info("drain.begun")


def end_drain() -> None:
    """Take work again: for tests, and for a drain that was called off."""
    _draining.clear()
    health.restore("draining")


def is_draining() -> bool:
    """Whether `begin_drain` was called: a loop that could start a long unit of work asks first."""
    return _draining.is_set()
