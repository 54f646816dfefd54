"""Which process of a service does a job, by a row and the database's clock."""

import os
import secrets
import socket
from datetime import datetime, timedelta

from bandstand import clock
from bandstand.events._sql import Sql

__all__ = ["Leadership"]


class Leadership:
    """A wish to be the only one. Losing it late is harmless where two at once are only wasteful, as two relays are.

    The lease is taken when there is work and left to lapse when there is none, so that an idle service writes nothing.
    """

    def __init__(self, name: str, *, lasting: timedelta, using: str) -> None:
        self._name = name
        self._lasting = lasting
        self._using = using
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"[-100:]
        self._until: datetime | None = None

    def hold(self) -> bool:
        """Take or renew the lease; False while another one has it. Costs nothing for the first half of its time."""
        now = clock.database_now(self._using)
        if self._until is not None and self._until - now > self._lasting / 2:
            return True
        until = now + self._lasting
        sql = Sql(self._using)
        taken = sql.change(
            "UPDATE bandstand_events_lease SET owner = %s, until = %s WHERE name = %s AND (owner = %s OR until < %s)",
            (self._owner, sql.time(until), self._name, self._owner, sql.time(now)),
        ) or sql.change(
            "INSERT INTO bandstand_events_lease (name, owner, until) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            (self._name, self._owner, sql.time(until)),
        )
        self._until = until if taken else None
        return bool(taken)

    def release(self) -> None:
        """Let another one have it at once."""
        if self._until is not None:
            self._until = None
            sql = Sql(self._using)
            sql.change("DELETE FROM bandstand_events_lease WHERE name = %s AND owner = %s", (self._name, self._owner))
