"""The loop that forgets sessions whose time is over."""

import threading
from datetime import timedelta

from bandstand.lifecycle import Loop
from users import commands

_EVERY = timedelta(minutes=5)
_BATCH = 500


class SessionPurgeLoop(Loop):
    """Purge in batches, so that no transaction holds the database for long."""

    name = "sessions"
    stall_after = _EVERY * 2

    def run(self, stop: threading.Event) -> None:
        """Purge every five minutes until *stop*."""
        while not stop.wait(_EVERY.total_seconds()):
            with self.iteration():
                while commands.purge_sessions(limit=_BATCH) == _BATCH and not stop.is_set():
                    self.beat()
