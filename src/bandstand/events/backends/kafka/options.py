"""What a Kafka URL says: brokers, names, and the few settings of librdkafka that a service chooses."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from bandstand.config import ConfigurationError, Fault
from bandstand.events.backends.batches import MAX_BYTES

__all__ = ["Options"]

log = logging.getLogger("bandstand.events.kafka")

_WITH_OVERHEAD = MAX_BYTES + 65_536
_SOCKET_TIMEOUT_MS = 6_000
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_EXPECTED = "kafka://host:port,host:port/?prefix=bandstand&partitions=12"

_PASSED_ON = {
    "security_protocol": "security.protocol",
    "sasl_mechanism": "sasl.mechanism",
    "ssl_ca_location": "ssl.ca.location",
    "compression": "compression.type",
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """A parsed URL."""

    brokers: str
    prefix: str = "bandstand"
    partitions: int = 12
    """How many a topic gets that this service creates: the most processes that can share one group's work."""
    replication: int = -1
    """How many brokers keep each event; -1 leaves it to the cluster's default."""
    session_timeout_ms: int = 10_000
    """How soon the partitions of a process that died go to another."""
    fetch_wait_ms: int = 500
    """How long a broker without news keeps a request before it says so."""
    passed_on: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def parsed(cls, url: str) -> "Options":
        """Read a URL. Raises ConfigurationError naming everything that is wrong with it, and no password."""
        parts = urlsplit(url)
        userinfo, _, brokers = parts.netloc.rpartition("@")
        given = dict(parse_qsl(parts.query, keep_blank_values=True))
        passed_on = {_PASSED_ON[name]: given.pop(name) for name in list(given) if name in _PASSED_ON}
        problems: list[str] = [] if brokers else ["it names no broker"]
        numbers = {
            name: _number(given, name, problems)
            for name in ("partitions", "replication", "session_timeout_ms", "fetch_wait_ms")
            if name in given
        }
        prefix = given.pop("prefix", "bandstand")
        if _NAME.fullmatch(prefix) is None:
            problems.append(f"the prefix {prefix!r} cannot begin a topic's name")
        problems += [f"the option {name!r} is unknown" for name in given]
        if problems:
            raise ConfigurationError(
                [Fault(variable="BUS_URL", problem=problem, expected=_EXPECTED) for problem in problems]
            )
        return cls(brokers=brokers, prefix=prefix, passed_on=passed_on | _credentials(userinfo), **numbers)

    def topic(self, owner: str) -> str:
        """The topic of everything that one service publishes."""
        return f"{self.prefix}.{owner}"

    def group_id(self, group: str) -> str:
        """The name of a group in Kafka: fleets that share a cluster are told apart by the prefix."""
        return f"{self.prefix}.{group}"

    @property
    def registry(self) -> str:
        """The compacted topic that says which groups there are."""
        return f"{self.prefix}.groups"

    def client(self) -> dict[str, Any]:
        """What every client is configured with."""
        return {
            "bootstrap.servers": self.brokers,
            "client.id": "bandstand",
            "logger": log,
            "socket.timeout.ms": _SOCKET_TIMEOUT_MS,
            "socket.connection.setup.timeout.ms": _SOCKET_TIMEOUT_MS,
            "reconnect.backoff.max.ms": 1_000,
            **self.passed_on,
        }

    def producer(self) -> dict[str, Any]:
        """Nothing is lost, repeated or reordered by the client's own retries; how long to wait is our decision."""
        return self.client() | {
            "enable.idempotence": True,
            "acks": "all",
            "message.timeout.ms": 0,
            "message.max.bytes": _WITH_OVERHEAD,
        }

    def consumer(self, group: str) -> dict[str, Any]:
        """No offset is committed but by us; a process that keeps its partitions keeps them through a rebalance."""
        return self.client() | {
            "group.id": self.group_id(group),
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": self.session_timeout_ms,
            "heartbeat.interval.ms": min(3_000, self.session_timeout_ms // 3),
            "fetch.wait.max.ms": self.fetch_wait_ms,
            "fetch.message.max.bytes": _WITH_OVERHEAD,
            "queued.max.messages.kbytes": 16_384,
        }

    def topic_settings(self) -> dict[str, str]:
        """How a topic of events is created."""
        return {"max.message.bytes": str(_WITH_OVERHEAD)}


def _number(given: dict[str, str], name: str, problems: list[str]) -> int:
    text = given.pop(name)
    is_valid: Callable[[int], bool] = (
        (lambda number: number > 0 or number == -1) if name == "replication" else (lambda number: number > 0)
    )
    if re.fullmatch(r"-?\d{1,9}", text) and is_valid(int(text)):
        return int(text)
    problems.append(f"{name}={text!r} is no usable number")
    return 1


def _credentials(userinfo: str) -> dict[str, str]:
    if not userinfo:
        return {}
    user, _, password = userinfo.partition(":")
    return {"sasl.username": unquote(user), "sasl.password": unquote(password)}
