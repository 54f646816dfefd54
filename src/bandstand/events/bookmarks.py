"""Where a group reads on, kept beside its effects: whatever becomes of the one becomes of the other."""

from collections.abc import Mapping

from django.db import DatabaseError, connections

from bandstand.events._sql import Sql, marks
from bandstand.events.backends import BusUnavailable

__all__ = ["Bookmarks"]

# Never back: a process that lost a place while it applied its last batch may write after its successor.
_KEEP = """
    INSERT INTO bandstand_events_bookmark AS known (reader, place, position) VALUES {}
    ON CONFLICT (reader, place) DO UPDATE SET position = excluded.position WHERE known.position < excluded.position"""


class Bookmarks:
    """The places of one group on a bus that can resume from them (`Bus.resume`)."""

    def __init__(self, reader: str, *, using: str) -> None:
        self._reader = reader
        self._using = using

    def keep(self, positions: Mapping[str, int]) -> None:
        """Move them forward in the open transaction, the one that applies what lies before."""
        if positions:
            # Sorted, so that two processes that hand over a place never wait for each other.
            rows = [value for place in sorted(positions) for value in (self._reader, place, positions[place])]
            Sql(self._using).change(_KEEP.format(marks(len(positions), "(%s, %s, %s)")), rows)

    def kept(self) -> dict[str, int]:
        """All of them, from a thread that does nothing else with the database. Raises BusUnavailable."""
        statement = "SELECT place, position FROM bandstand_events_bookmark WHERE reader = %s"
        try:
            return dict(Sql(self._using).rows(statement, (self._reader,)))
        except DatabaseError as error:
            raise BusUnavailable(f"the bookmarks of {self._reader!r} cannot be read: {error}") from error
        finally:
            connections[self._using].close()
