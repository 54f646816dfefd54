"""What a RabbitMQ URL says: nodes, credentials, names, and how a group is read."""

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from bandstand.config import ConfigurationError, Fault

__all__ = ["Options"]

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_EXPECTED = "amqp[s]://[user:password@]host:port,host:port/vhost?prefix=bandstand"
_PORTS = {"amqp": 5672, "amqps": 5671}
_AGE = re.compile(r"[1-9]\d{0,5}[YMDhms]")
_NUMBERS = ("delivery_limit", "heartbeat", "history_bytes", "prefetch")
_TLS = {"ssl_ca_certs": "ca_certs", "ssl_certfile": "certfile", "ssl_keyfile": "keyfile"}


@dataclass(frozen=True, kw_only=True)
class Options:
    """A parsed URL."""

    nodes: tuple[str, ...]
    """`host:port` of each node, tried in this order."""
    vhost: str = "/"
    user: str = "guest"
    password: str = field(default="guest", repr=False)
    prefix: str = "bandstand"
    heartbeat: int = 10
    """Seconds; a connection that is silent for twice as long is given up by both sides."""
    prefetch: int = 500
    """How many events a reader holds that are not acknowledged."""
    delivery_limit: int = 100_000
    """How often an event is handed to a reader that loses it again, before the server sets it aside."""
    history_age: str = "7D"
    """How long events can be read by groups that come later; the server goes by whole segments of 100 MB."""
    history_bytes: int = 10_000_000_000
    """How many bytes of them it keeps at most."""
    tls: dict[str, str] | None = None

    @classmethod
    def parsed(cls, url: str) -> "Options":
        """Read a URL. Raises ConfigurationError naming everything that is wrong with it, and no password."""
        parts = urlsplit(url)
        userinfo, _, netloc = parts.netloc.rpartition("@")
        given = dict(parse_qsl(parts.query, keep_blank_values=True))
        problems: list[str] = [] if netloc else ["it names no server"]
        tls = {_TLS[name]: given.pop(name) for name in list(given) if name in _TLS}
        if tls and parts.scheme != "amqps":
            problems.append("certificates belong to amqps://")
        numbers = {name: _number(given.pop(name), name, problems) for name in _NUMBERS if name in given}
        prefix = given.pop("prefix", cls.prefix)
        if _NAME.fullmatch(prefix) is None:
            problems.append(f"the prefix {prefix!r} cannot begin a queue's name")
        age = given.pop("history_age", cls.history_age)
        if _AGE.fullmatch(age) is None:
            problems.append(f"history_age={age!r} is no age such as 7D or 12h")
        problems += [f"the option {name!r} is unknown" for name in given]
        if problems:
            raise ConfigurationError(
                [Fault(variable="BUS_URL", problem=problem, expected=_EXPECTED) for problem in problems]
            )
        user, password = _credentials(userinfo) if userinfo else (cls.user, cls.password)
        return cls(
            nodes=tuple(_with_port(node, _PORTS[parts.scheme]) for node in netloc.split(",")),
            vhost=unquote(parts.path[1:]) or cls.vhost,
            prefix=prefix,
            history_age=age,
            tls=tls if parts.scheme == "amqps" else None,
            user=user,
            password=password,
            **numbers,
        )

    @property
    def exchange(self) -> str:
        """Where all events are published."""
        return f"{self.prefix}.events"

    @property
    def history(self) -> str:
        """The stream of all events."""
        return f"{self.prefix}.history"

    @property
    def dead(self) -> str:
        """The queue of what was handed out too often."""
        return f"{self.prefix}.dead"

    @property
    def registry(self) -> str:
        """The stream whose last message says which groups there are."""
        return f"{self.prefix}.groups"

    @property
    def registry_lock(self) -> str:
        """The exclusive queue of whoever changes the registry."""
        return f"{self.prefix}.groups.lock"

    def queue(self, group: str) -> str:
        """What a group has not acknowledged."""
        return f"{self.prefix}.group.{group}"

    def reader(self, group: str) -> str:
        """The exclusive queue of the process that reads for a group; it is asked there how much it holds."""
        return f"{self.prefix}.reader.{group}"


def _number(text: str, name: str, problems: list[str]) -> int:
    if re.fullmatch(r"[1-9]\d{0,14}", text):
        return int(text)
    problems.append(f"{name}={text!r} is no usable number")
    return 1


def _with_port(node: str, port: int) -> str:
    return node if re.search(r":\d+$", node) else f"{node}:{port}"


def _credentials(userinfo: str) -> tuple[str, str]:
    user, _, password = userinfo.partition(":")
    return unquote(user), unquote(password)
