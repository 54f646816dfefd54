"""Ports on which servers of this machine may listen."""

import random
import socket
from contextlib import ExitStack, suppress
from pathlib import Path

__all__ = ["free_port", "free_ports"]

_LOWEST, _TRIES = 15_000, 100
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_random = random.SystemRandom()  # tests that seed the common generator side by side would all begin at one port


def free_port(host: str = "127.0.0.1") -> int:
    """A port of *host* that nobody uses at this moment; another server may take it first."""
    return free_ports(1, host)[0]


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """As many different ones, below those that the kernel gives to outgoing connections where there is room.

    A connection keeps its port for a minute after it has closed: a server could not start again on an ephemeral one.
    """
    with ExitStack() as probes:
        return [_bind(probes.enter_context(socket.socket()), host) for _ in range(count)]


def _bind(probe: socket.socket, host: str) -> int:
    room = range(_LOWEST, int(_EPHEMERAL.read_text(encoding="ascii").split()[0]))
    for port in _random.sample(room, min(_TRIES, len(room))):
        with suppress(OSError):  # taken
            probe.bind((host, port))
            return port
    probe.bind((host, 0))
    return int(probe.getsockname()[1])
