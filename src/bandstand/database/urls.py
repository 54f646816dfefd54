"""`DATABASE_URL` to Django's `DATABASES` entry, with the options each engine needs to be safe."""

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

__all__ = ["database_from_url"]

# FULL: a commit that returned survives power loss. NORMAL would lose the last ones.
_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA mmap_size=134217728; "
    "PRAGMA cache_size=-16000; PRAGMA journal_size_limit=27103364; PRAGMA foreign_keys=ON;"
)


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


def _postgresql(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    timeouts = "-c statement_timeout=30s -c lock_timeout=10s -c idle_in_transaction_session_timeout=60s"
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path[1:]),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or options.pop("host", ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 0,  # Django requires 0 beside its pool, which keeps the connections instead
        "OPTIONS": {"pool": {"min_size": 1, "max_size": 16, "timeout": 10}, "options": timeouts, **options},
    }
