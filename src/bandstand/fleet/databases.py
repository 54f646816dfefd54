"""One PostgreSQL server for the whole fleet: a database and a role for each service, made where they are missing."""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from bandstand.config import ConfigurationError, Fault
from bandstand.fleet.layout import DataFolder, replace_file
from bandstand.fleet.manifest import Fleet

if TYPE_CHECKING:
    import psycopg

__all__ = [
    "database_name",
    "database_of",
    "describe_server",
    "drop_databases",
    "is_server",
    "make_databases",
    "open_databases",
    "own_database",
]

_VARIABLE = "DATABASE_URL"
_ADMINISTRATION = "postgres"
_LONGEST_NAME = 63  # PostgreSQL would cut a longer one, and two of them might then be the same
_LOCK = 0x62616E64  # any number of our own: whoever makes databases holds it


def is_server(url: str) -> bool:
    """Whether a fleet's `DATABASE_URL` names a PostgreSQL server."""
    return urlsplit(url).scheme in ("postgres", "postgresql")


def database_name(url: str, fleet: str, service: str) -> str:
    """`<name>_<service>`: the name in *url*, else the fleet's; `postgres`, which every server has, counts as none."""
    named = unquote(urlsplit(url).path[1:])
    return f"{fleet if named in ('', _ADMINISTRATION) else named}_{service}"


def database_of(url: str, name: str, *, role: str = "", password: str = "") -> str:
    """The database *name* on the server of *url*, with the options of *url*, as *role* where one is given."""
    parts = urlsplit(url)
    netloc = f"{quote(role, safe='')}:{quote(password, safe='')}@{_address(url)}" if role else parts.netloc
    return parts._replace(netloc=netloc, path=f"/{quote(name, safe='')}").geturl()


def own_database(service: str) -> str:
    """The variable of the launcher's environment that names the database of one service."""
    return f"{service.upper()}_DATABASE_URL"


def open_databases(fleet: Fleet, data: DataFolder, outer: Mapping[str, str]) -> dict[str, str]:
    """`<SERVICE>_DATABASE_URL` for each service: its database on the fleet's `DATABASE_URL`, made where it is missing.

    Nothing for services that have one of their own, and for a fleet without such a server. Raises ConfigurationError.
    """
    url = outer.get(_VARIABLE, "")
    names = {service: database_name(url, fleet.name, service) for service in fleet.services
             if not outer.get(own_database(service))}  # fmt: skip
    if not url or not names:
        return {}
    if not is_server(url):
        expected = f"postgres://user:password@host:port/ for all, or {own_database(next(iter(names)))} for each"
        raise ConfigurationError([Fault(variable=_VARIABLE, problem="is one database for all", expected=expected)])
    made = make_databases(url, {name: _password(data, service) for service, name in names.items()})
    return {own_database(service): made[name] for service, name in names.items()}


def _password(data: DataFolder, service: str) -> str:
    """The password of a service's role: made once, kept with the other secrets of the data folder."""
    file = data.key(f"{service}.database")
    if not file.exists():
        replace_file(file, secrets.token_urlsafe(24), mode=0o600)
    return file.read_text(encoding="utf-8")


def make_databases(url: str, wanted: Mapping[str, str]) -> dict[str, str]:
    """Make the databases that are missing; the URL of each. *wanted*: the name of each, and its role's password.

    A new database belongs to a role of its name that nobody else may connect as, provided that the user of *url* may
    make roles; otherwise to that user. One that exists stays with its owner. Safe to repeat, also by two at once.
    Raises ConfigurationError.
    """
    with _administering(url, wanted) as connection:
        made = {name: _make(connection, name, password) for name, password in wanted.items()}
    return {
        name: database_of(url, name, role=name, password=wanted[name]) if has_role else database_of(url, name)
        for name, has_role in made.items()
    }


def describe_server(url: str) -> str:
    """What the server at *url* is and lets its user do. Raises ConfigurationError when it lets nobody in."""
    with _administering(url, []) as connection:
        version = _one(connection, "SHOW server_version")
        own = "a database and a role" if _may_make_roles(connection) else "a database, but no role,"
    return f"PostgreSQL {version} at {_address(url)}: {own} for each service"


def drop_databases(url: str, names: Iterable[str]) -> None:
    """Delete databases and their roles, whoever is connected. Raises ConfigurationError."""
    from psycopg import sql  # noqa: PLC0415 - as below

    names = list(names)
    with _administering(url, names) as connection:
        for name in names:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))


def _make(connection: "psycopg.Connection", name: str, password: str) -> bool:
    """Make one database where it is missing; whether a role of its own may be used for it."""
    from psycopg import sql  # noqa: PLC0415 - as below

    owner = _one(connection, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s", name)
    if owner not in (None, name):
        return False
    if owner is None and not _may_make_roles(connection):
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return False
    if _one(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", name) is None:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
    # Hashed here: neither the network nor the server's log shows it.
    hashed = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(name), sql.Literal(hashed)))
    if owner is None:
        # Only a member of a role may give it a database, and who made a role is none unless it says so.
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(name)))
        connection.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(sql.Identifier(name)))
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
    return True


def _may_make_roles(connection: "psycopg.Connection") -> bool:
    return bool(_one(connection, "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"))


def _one(connection: "psycopg.Connection", query: str, *parameters: str) -> object:
    row = connection.execute(query.encode(), parameters).fetchone()
    return None if row is None else row[0]


@contextmanager
def _administering(url: str, names: Iterable[str]) -> Iterator["psycopg.Connection"]:
    """A connection that holds the lock of those who make databases. What goes wrong names server and remedy."""
    too_long = [name for name in names if len(name.encode()) > _LONGEST_NAME]
    if too_long:
        problem = f"makes names of more than {_LONGEST_NAME} bytes: {', '.join(too_long)}"
        raise ConfigurationError([Fault(variable=_VARIABLE, problem=problem, expected="a shorter name in it")])
    try:
        import psycopg  # noqa: PLC0415 - the driver comes with the extra `postgres`, and takes longer to load than Envoy
    except ImportError:
        problem = "needs a driver that is not installed"
        expected = "pip install 'bandstand[postgres]'"
        raise ConfigurationError([Fault(variable=_VARIABLE, problem=problem, expected=expected)]) from None
    try:
        with _connected(url) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
            yield connection
    except psycopg.errors.InsufficientPrivilege as error:
        expected = f"a user who may, or these databases made for it: {', '.join(names)}"
        raise ConfigurationError([_fault(url, error, expected)]) from error
    except psycopg.Error as error:
        raise ConfigurationError([_fault(url, error, "a PostgreSQL server that lets its user in")]) from error


def _connected(url: str) -> "psycopg.Connection":
    """Raises psycopg's errors."""
    import psycopg  # noqa: PLC0415 - as above

    from bandstand.database.urls import connection_parameters  # noqa: PLC0415 - brings Django's share of options

    given = connection_parameters(url)
    try:
        return psycopg.connect(**{**given, "dbname": _ADMINISTRATION}, autocommit=True)
    except psycopg.OperationalError:
        if given.get("dbname", _ADMINISTRATION) == _ADMINISTRATION:
            raise
        return psycopg.connect(**given, autocommit=True)  # a server may keep that one to its own administrators


def _fault(url: str, error: Exception, expected: str) -> Fault:
    said = " ".join(str(error).split())
    return Fault(variable=_VARIABLE, problem=f"{_address(url)} says: {said}", expected=expected)


def _address(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]
