"""Forgetting keys that nobody asks for any more."""

import threading
from datetime import timedelta

from bandstand import clock
from bandstand.config import section
from bandstand.database.statements import Statement
from bandstand.lifecycle import Loop
from bandstand.sagas.participant.config import RETRY_HORIZON, ParticipantConfig
from bandstand.sagas.participant.models import KeyedEffect

__all__ = ["PurgeLoop", "purge"]

_EVERY = timedelta(minutes=5)
# Locked in one order, so that two processes that purge cannot wait for each other; the outer condition is evaluated
# again for a row that a cancel changed meanwhile.
_PURGE = Statement(
    KeyedEffect,
    "DELETE FROM {table} WHERE changed_at < %s AND (kind, key) IN"
    " (SELECT kind, key FROM {table} WHERE changed_at < %s ORDER BY changed_at LIMIT %s {lock})",
)


class PurgeLoop(Loop):
    """Purge in batches, so that no transaction holds the database for long."""

    name = "participant"
    stall_after = _EVERY * 2

    def run(self, stop: threading.Event) -> None:
        """Purge every five minutes until *stop*."""
        while not stop.wait(_EVERY.total_seconds()):
            with self.iteration():
                while purge() and not stop.is_set():
                    self.beat()


def purge(*, limit: int = 1000) -> int:
    """Forget up to *limit* keys whose last change is older than the retention, and return how many.

    However short the retention is set, no key is forgotten within the retry horizon of 12 hours.
    """
    config = section(ParticipantConfig)
    before = clock.database_now(config.database) - max(config.retention, RETRY_HORIZON)
    return _PURGE.run(before, before, limit, using=config.database)
