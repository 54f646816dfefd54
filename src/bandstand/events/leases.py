"""Which process of a service does a job, by a row and the database's clock."""

import secrets
from datetime import datetime, timedelta

from bandstand import clock
from bandstand.events._sql import Sql
from bandstand.events.owners import is_gone, own_name

__all__ = ["Leadership", "Presence"]


class Leadership:
    """A wish to be the only one. Losing it late is harmless where two at once are only wasteful, as two relays are.

    The lease is taken when there is work and left to lapse when there is none, so that an idle service writes nothing.
    """

    def __init__(self, name: str, *, lasting: timedelta, using: str) -> None:
        self._name = name
        self._lasting = lasting
        self._using = using
        self._owner = own_name()
        self._until: datetime | None = None

    def hold(self) -> bool:
        """Take or renew the lease; False while another one has it. Costs nothing for the first half of its time."""
        now = clock.database_now(self._using)
        if self._until is not None and self._until - now > self._lasting / 2:
            return True
        until = now + self._lasting
        sql = Sql(self._using)
        taken = (
            self._take(sql, until, "owner = %s OR until < %s", self._owner, sql.time(now))
            or sql.change(
                "INSERT INTO bandstand_events_lease (name, owner, until) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                (self._name, self._owner, sql.time(until)),
            )
            or any(self._take(sql, until, "owner = %s", owner) for owner in self._owners(sql) if is_gone(owner))
        )
        self._until = until if taken else None
        return bool(taken)

    def release(self) -> None:
        """Let another one have it at once."""
        if self._until is not None:
            self._until = None
            sql = Sql(self._using)
            sql.change("DELETE FROM bandstand_events_lease WHERE name = %s AND owner = %s", (self._name, self._owner))

    def _take(self, sql: Sql, until: datetime, condition: str, *values: str | datetime) -> int:
        return sql.change(
            f"UPDATE bandstand_events_lease SET owner = %s, until = %s WHERE name = %s AND ({condition})",  # noqa: S608 - ours
            (self._owner, sql.time(until), self._name, *values),
        )

    def _owners(self, sql: Sql) -> list[str]:
        return [
            owner for (owner,) in sql.rows("SELECT owner FROM bandstand_events_lease WHERE name = %s", (self._name,))
        ]


class Presence:
    """Who else does a job that can be shared, by a row of each process that is renewed while it works."""

    def __init__(self, job: str, *, lasting: timedelta, using: str) -> None:
        self._prefix = f"{job}@"
        self._name = f"{self._prefix}{secrets.token_hex(8)}"
        self._owner = own_name()
        self._lasting = lasting
        self._using = using
        self._due: datetime | None = None
        self._place = (0, 1)

    def place(self) -> tuple[int, int]:
        """Our place among those present, from 0, and how many they are; looked up a few times per lease."""
        now = clock.database_now(self._using)
        if self._due is None or now >= self._due:
            self._due = now + self._lasting / 4
            self._sign(now)
            names = self._present(now)
            self._place = (names.index(self._name), len(names))
        return self._place

    def leave(self) -> None:
        """Let the others share what was ours at once."""
        self._due = None
        Sql(self._using).change("DELETE FROM bandstand_events_lease WHERE name = %s", (self._name,))

    def _sign(self, now: datetime) -> None:
        sql = Sql(self._using)
        sql.change(
            "INSERT INTO bandstand_events_lease (name, owner, until) VALUES (%s, %s, %s)"
            " ON CONFLICT (name) DO UPDATE SET until = excluded.until",
            (self._name, self._owner, sql.time(now + self._lasting)),
        )

    def _present(self, now: datetime) -> list[str]:
        sql = Sql(self._using)
        mask = f"{self._prefix}%"
        forgotten = sql.time(now - 100 * self._lasting)
        sql.change("DELETE FROM bandstand_events_lease WHERE name LIKE %s AND until < %s", (mask, forgotten))
        statement = "SELECT name, owner FROM bandstand_events_lease WHERE name LIKE %s AND until >= %s ORDER BY name"
        return [name for name, owner in sql.rows(statement, (mask, sql.time(now))) if not is_gone(owner)]
