"""Who writes what: a trigger on each table of a PostgreSQL database notes every row that is written, and by whom."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import psutil
import psycopg
from psycopg import sql

from bandstand.database import connection_parameters

__all__ = ["Witness", "Written"]

_NOTES = """
CREATE TABLE witness_note (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_port int, relation text, operation text, content jsonb);
CREATE FUNCTION witness_take_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO witness_note (client_port, relation, operation, content)
    VALUES (inet_client_port(), TG_TABLE_NAME, TG_OP, to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END));
    RETURN NULL;
END $$;
"""
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename LIKE ANY(%s)"


@dataclass(frozen=True, kw_only=True)
class Written:
    """One row as a client left it; the client is known by the port that its connection comes from."""

    number: int
    client_port: int
    relation: str
    operation: str
    content: dict[str, Any]


class Witness:
    """Watches the tables whose names are like *watched*, from now on. A rolled back write was none."""

    def __init__(self, url: str, *watched: str) -> None:
        self._port = urlsplit(url).port
        self._connection = psycopg.connect(**connection_parameters(url), autocommit=True)
        self._connection.execute(_NOTES)
        for (table,) in self._rows(_TABLES, [*watched]):
            self._connection.execute(
                sql.SQL(
                    "CREATE TRIGGER witness AFTER INSERT OR UPDATE OR DELETE ON {} "
                    "FOR EACH ROW EXECUTE FUNCTION witness_take_note()"
                ).format(sql.Identifier(table))
            )

    def close(self) -> None:
        """Look away; the triggers stay."""
        self._connection.close()

    def mark(self) -> int:
        """The number of the last note."""
        return int(self._rows("SELECT coalesce(max(number), 0) FROM witness_note")[0][0])

    def written(self, about: Collection[str], *, after: int = 0) -> list[Written]:
        """What was written after the mark *after* in rows that name one of *about*, such as an id."""
        columns = "number, client_port, relation, operation, content"
        found = self._rows(
            f"SELECT {columns} FROM witness_note WHERE number > %s AND content::text LIKE ANY(%s) ORDER BY number",
            after,
            [f"%{each}%" for each in about],
        )
        return [Written(**dict(zip(columns.split(", "), row, strict=True))) for row in found]

    def ports_of(self, pid: int) -> set[int]:
        """The ports from which a process is connected to the server of this database."""
        connections = psutil.Process(pid).net_connections("tcp")
        return {each.laddr.port for each in connections if each.raddr and each.raddr.port == self._port}

    def has_open_transaction(self, pid: int) -> bool:
        """Whether a process is within a transaction, as far as the server knows."""
        clause = "client_port = ANY(%s) AND xact_start IS NOT NULL"
        return bool(self._rows(f"SELECT 1 FROM pg_stat_activity WHERE {clause}", [*self.ports_of(pid)]))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The answer to a query of the test's own."""
        return self._rows(query)

    def _rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(query, parameters or None).fetchall()
