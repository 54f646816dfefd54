"""What is in a write-ahead log of SQLite: its commits, and the tables each of them wrote.

The format is that of sqlite.org/fileformat2.html, section 4; which page belongs to which table says SQLite itself.
"""

import sqlite3
import struct
from contextlib import closing
from pathlib import Path

__all__ = ["commits", "tables_of"]

_HEADER, _FRAME = 32, 24


def commits(log: Path) -> list[frozenset[int]]:
    """The pages written by each commit that the log holds, oldest first."""
    content = log.read_bytes() if log.is_file() else b""
    if not content:
        return []
    size = struct.unpack(">I", content[8:12])[0]
    salt = content[16:24]
    found: list[frozenset[int]] = []
    pages: set[int] = set()
    for at in range(_HEADER, len(content) - _FRAME + 1, size + _FRAME):
        if content[at + 8 : at + 16] != salt:  # left over from before the log was begun anew
            break
        page, pages_after_commit = struct.unpack(">II", content[at : at + 8])
        pages.add(page)
        if pages_after_commit:
            found.append(frozenset(pages))
            pages = set()
    return found


def tables_of(database: Path) -> dict[int, str]:
    """The table of every page; an index counts as its table, and SQLite's own tables are left out."""
    query = (
        "SELECT s.pageno, coalesce(m.tbl_name, s.name) FROM dbstat s LEFT JOIN sqlite_schema m ON m.name = s.name"
        " WHERE s.name NOT LIKE 'sqlite_s%'"
    )
    with closing(sqlite3.connect(database)) as connection:
        return dict(connection.execute(query).fetchall())
