"""Where the relay begins to read on PostgreSQL, so that rows long delivered but not yet vacuumed cost nothing.

An old snapshot anywhere in the server keeps deleted rows in table and index, and a scan from the beginning steps over
all of them. It may begin higher only where nothing can appear any more: ids are given before their transactions
commit, and to pass one that commits late would lose it, or let a later event of its subject overtake it.
"""

from bandstand import clock
from bandstand.events._sql import Sql
from bandstand.events.partitions import Partition

__all__ = ["LowWater"]

_EVERY_SECONDS = 1.0
_FROM_ZERO_SECONDS = 10.0

# Whoever inserts into the outbox takes this lock before the id, and gives it back after the commit is visible. A
# prepared transaction keeps it too, without a process: its pid is null.
_WRITERS = """
    SELECT virtualtransaction FROM pg_locks
     WHERE relation = 'bandstand_events_outbox'::regclass AND mode = 'RowExclusiveLock'
       AND pid IS DISTINCT FROM pg_backend_pid()
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
_LOWEST = "SELECT min(id) FROM bandstand_events_outbox WHERE id > %s AND id <= %s AND dead_at IS NULL{}"


class LowWater:
    """The id up to which nothing of a partition is pending and nothing more will be.

    An id counts once every transaction has ended that had the outbox open when the id was already in sight. Now and
    then the whole table is looked at again: for dead events that somebody revived, and as a net.
    """

    def __init__(self, using: str, partition: Partition) -> None:
        self._using = using
        self._lowest = _LOWEST.format(partition.condition)
        self.id = 0
        self._candidate = 0
        self._writers: frozenset[str] = frozenset()
        self._due = 0.0
        self._from_zero_due = 0.0

    def advance(self, seen: int) -> None:
        """Move up if it is time; *seen* is the highest id that has been read so far."""
        now = clock.monotonic()
        is_behind = self.id < max(seen, self._candidate) or now >= self._from_zero_due
        if now < self._due or not is_behind:
            return
        self._due = now + _EVERY_SECONDS
        sql = Sql(self._using)
        writers = frozenset(name for (name,) in sql.rows(_WRITERS))
        if self._writers & writers:
            return
        start = self.id
        if now >= self._from_zero_due:
            start, self._from_zero_due = 0, now + _FROM_ZERO_SECONDS
        ((lowest,),) = sql.rows(self._lowest, (start, self._candidate))
        self.id = self._candidate if lowest is None else lowest - 1
        self._candidate, self._writers = max(seen, self._candidate), writers
