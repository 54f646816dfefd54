"""`DATABASE_URL` to Django's `DATABASES` entry, with the options each engine needs to be safe."""

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

__all__ = ["connection_parameters", "database_from_url"]

# FULL: a commit that returned survives power loss. NORMAL would lose the last ones.
_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA mmap_size=134217728; "
    "PRAGMA cache_size=-16000; PRAGMA journal_size_limit=27103364; PRAGMA foreign_keys=ON;"
)

# The server ends what a client forgot or a lock holds up; a URL may say otherwise: `?statement_timeout=5s`.
_TIMEOUTS = {"statement_timeout": "30s", "lock_timeout": "10s", "idle_in_transaction_session_timeout": "60s"}
# A vanished server is noticed in half a minute instead of hours.
_TRANSPORT = {"connect_timeout": "5", "keepalives_idle": "15", "keepalives_interval": "5", "keepalives_count": "3"}
# Four request threads keep a connection each at hand; loops and saga steps come on top. Six services at their largest
# stay within the 100 connections that a PostgreSQL server allows unless told otherwise.
_POOL = {"pool_max_size": "16", "pool_timeout": "5"}
_AT_HAND = 4


def database_from_url(url: str) -> dict[str, Any]:
    """Translate `sqlite:///relative`, `sqlite:////absolute` or `postgres://user:password@host:port/name?options`.

    Raises ValueError, naming the scheme, for anything else.
    """
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return _sqlite(parts.path[1:])
    if parts.scheme in ("postgres", "postgresql"):
        return _postgresql(url)
    raise ValueError(f"expected sqlite:/// or postgres://, got the scheme {parts.scheme!r}")


def _sqlite(path: str) -> dict[str, Any]:
    if not path:
        raise ValueError("sqlite:/// needs a path behind it")
    return {
        "ENGINE": "bandstand.database.sqlite",
        "NAME": unquote(path),
        "CONN_MAX_AGE": None,
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": _SQLITE_PRAGMAS},
    }


def connection_parameters(url: str) -> dict[str, Any]:
    """What `psycopg.connect` needs for a `postgres://` URL; what only a pool understands is left out."""
    found = _postgresql(url)
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    place = {name: str(found[key]) for key, name in names.items() if found[key]}
    return place | {name: value for name, value in found["OPTIONS"].items() if name != "pool"}


def _postgresql(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    options = _TIMEOUTS | _TRANSPORT | _POOL | dict(parse_qsl(parts.query))
    pool = _pool({name: options.pop(name) for name in [*options] if name.startswith("pool_")})
    timeouts = [f"-c {name}={options.pop(name)}" for name in _TIMEOUTS]
    return {
        "ENGINE": "bandstand.database.postgresql",
        "NAME": unquote(parts.path[1:]),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or options.pop("host", ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 0,  # Django requires 0 beside its pool, which keeps the connections instead
        "OPTIONS": {**options, "pool": pool, "options": " ".join([*timeouts, options.pop("options", "")]).strip()},
    }


def _pool(given: dict[str, str]) -> dict[str, float]:
    """Raises ValueError for an option that is no number, or a pool that would hold nothing."""
    try:
        largest, timeout = int(given["pool_max_size"]), float(given["pool_timeout"])
        smallest = int(given.get("pool_min_size", min(_AT_HAND, largest)))
    except ValueError as error:
        raise ValueError(f"pool_min_size, pool_max_size and pool_timeout are numbers: {error}") from None
    if not 0 <= smallest <= largest or largest < 1:
        raise ValueError(f"pool_min_size={smallest} and pool_max_size={largest} make no pool")
    # A pool that gives up soon asks again with the next client: after a long outage nobody waits for its backoff.
    return {"min_size": smallest, "max_size": largest, "timeout": timeout, "reconnect_timeout": timeout}
