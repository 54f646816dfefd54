"""Where the server is, and how to talk to it within bounds."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from bandstand.config import ConfigurationError, Fault
from bandstand.events.backends.base import BusUnavailable

__all__ = ["Client", "Keys", "RedisAddress", "reaching"]

Client = redis.Redis

TIMEOUT_SECONDS = 5.0

_PREFIX = "bandstand"
_PASSED_ON = {"ssl_ca_certs", "ssl_ca_path", "ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname", "ssl_keyfile"}
_EXPECTED = "redis[s]://[user:password@]host:port/db?prefix=bandstand"


@dataclass(frozen=True, kw_only=True)
class Keys:
    """The names of everything the bus keeps on the server."""

    prefix: str

    @property
    def registry(self) -> str:
        """A hash: each group with its types."""
        return f"{self.prefix}:groups"

    @property
    def streams(self) -> str:
        """A set: the owners that have ever published."""
        return f"{self.prefix}:streams"

    def stream(self, owner: str) -> str:
        """The events of one publishing service."""
        return f"{self.prefix}:events:{owner}"

    def lease(self, group: str) -> str:
        """Who reads for a group."""
        return f"{self.prefix}:lease:{group}"

    def nudges(self, group: str) -> str:
        """The channel that wakes a group's reader."""
        return f"{self.prefix}:wake:{group}"

    def notices(self, name: str) -> str:
        """A channel of `bandstand.events.notices`."""
        return f"{self.prefix}:notices:{name}"


@dataclass(frozen=True, kw_only=True)
class RedisAddress:
    """A bus URL, taken apart."""

    url: str
    keys: Keys

    @classmethod
    def parsed(cls, url: str) -> "RedisAddress":
        """Read `redis[s]://…/db?prefix=…`. Raises ConfigurationError."""
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        prefix = options.pop("prefix", _PREFIX)
        unknown = sorted(set(options) - _PASSED_ON)
        problem = f"unknown options: {', '.join(unknown)}" if unknown else _unreadable(parts.path)
        if problem:
            raise ConfigurationError([Fault(variable="BUS_URL", problem=problem, expected=_EXPECTED)])
        return cls(url=parts._replace(query=urlencode(options)).geturl(), keys=Keys(prefix=prefix))

    def client(self) -> Client:
        """A pool of connections for all threads; a command is repeated once after a connection was lost."""
        again = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
        return redis.Redis.from_url(
            self.url,
            decode_responses=True,
            encoding_errors="replace",  # what others wrote must reach the inbox, which sets it aside
            protocol=2,
            retry=again,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
        )


@contextmanager
def reaching() -> Iterator[None]:
    """Say BusUnavailable for whatever keeps a command from being carried out."""
    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise BusUnavailable(f"the Redis bus cannot be used: {error}") from error


def _unreadable(path: str) -> str | None:
    database = path.strip("/")
    return None if not database or database.isdecimal() else f"{database!r} is no number of a database"
