"""A demonstration's own places on servers that others use as well: databases, and a name on the bus."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlencode, urlsplit

from bandstand.cli.options import Selection
from bandstand.cli.output import say
from bandstand.clock import uuid7
from bandstand.config import ConfigurationError
from bandstand.fleet.databases import database_name, database_of, drop_databases, is_server
from bandstand.fleet.layout import replace_file

__all__ = ["own_places"]

_BUSES = ("BUS_URL", "EVENT_STORE")
_PREFIXED = ("amqp", "amqps", "kafka", "redis", "rediss")


@contextmanager
def own_places(selection: Selection, *, kept: bool) -> Iterator[dict[str, str]]:
    """The variables that lead a fleet on this data folder to places where nobody was before it.

    The databases are deleted at the end unless they are *kept*, with their data folder. Raises ConfigurationError.
    """
    outer, fleet = selection.outer, selection.fleet
    server = outer.get("DATABASE_URL", "")
    name = f"{fleet.name}_demo_{_mark(selection)}"
    found = {variable: _prefixed(outer[variable], name) for variable in _BUSES if _is_shared(outer.get(variable, ""))}
    if not is_server(server):
        yield found
        return
    mine = database_of(server, name)
    try:
        yield {**found, "DATABASE_URL": mine}
    finally:
        if not kept:
            _drop(mine, [database_name(mine, fleet.name, service) for service in fleet.services])


def _drop(server: str, names: list[str]) -> None:
    """Failing here must not hide how the demonstration itself ended."""
    try:
        drop_databases(server, names)
    except ConfigurationError as error:
        say(f"the databases {', '.join(names)} may be left: {error}", err=True)


def _mark(selection: Selection) -> str:
    """What tells this demonstration's places from those of others; a folder that is used again has its old one."""
    file = selection.data.root / "demo"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, uuid7().hex[-8:])
    return file.read_text(encoding="utf-8")


def _is_shared(bus: str) -> bool:
    """Whether others may use the same names on it."""
    return urlsplit(bus).scheme in _PREFIXED and "prefix" not in dict(parse_qsl(urlsplit(bus).query))


def _prefixed(url: str, name: str) -> str:
    parts = urlsplit(url)
    return parts._replace(query=urlencode([*parse_qsl(parts.query), ("prefix", name)])).geturl()
