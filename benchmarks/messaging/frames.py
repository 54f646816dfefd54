"""The limit: AMQP frames built beforehand and written to a socket, their confirms counted and nothing else done."""

import struct
import time

from benchmarks.messaging.servers import EXCHANGE, KEY, connect

_METHOD, _HEADER, _BODY, _END = 1, 2, 3, b"\xce"
_BASIC_ACK = b"\x00\x3c\x00\x50"


def publication(body: bytes) -> bytes:
    """A persistent message of JSON to the exchange of the benchmarks, by basic.publish on channel 1."""
    exchange, key = EXCHANGE.encode(), KEY.encode()
    names = bytes([len(exchange)]) + exchange + bytes([len(key)]) + key
    method = struct.pack(">HHH", 60, 40, 0) + names + b"\0"
    properties = b"\x10application/json\x02"
    header = struct.pack(">HHQH", 60, 0, len(body), 0x8000 | 0x1000) + properties
    parts = ((_METHOD, method), (_HEADER, header), (_BODY, body))
    return b"".join(struct.pack(">BHI", kind, 1, len(part)) + part + _END for kind, part in parts)


class Confirms:
    """Counts what the broker confirms."""

    def __init__(self) -> None:
        self.confirmed = 0
        self._rest = b""

    def read(self, received: bytes) -> None:
        """Take bytes as they come from the socket."""
        data, at = self._rest + received, 0
        while len(data) - at >= 8:
            kind, _, size = struct.unpack_from(">BHI", data, at)
            if len(data) - at < size + 8:
                break
            if kind == _METHOD and data[at + 7 : at + 11] == _BASIC_ACK:
                tag, multiple = struct.unpack_from(">QB", data, at + 11)
                self.confirmed = tag if multiple else self.confirmed + 1
            at += size + 8
        self._rest = data[at:]


def load(url: str, bodies: list[bytes]) -> None:
    """Publish these and wait until all are confirmed."""
    connection = connect(url)
    connection.channel().confirm_select()
    socket, confirms = connection.transport.sock, Confirms()
    for at in range(0, len(bodies), 500):
        socket.sendall(b"".join(map(publication, bodies[at : at + 500])))
        while confirms.confirmed < min(at + 500, len(bodies)):
            confirms.read(socket.recv(1 << 16))
    connection.close()


def flood(url: str, body: bytes, *, seconds: float, at_once: int, windows: int) -> tuple[int, float]:
    """Publish windows of *at_once* messages, so many unconfirmed at most; how many were confirmed, and the time."""
    connection = connect(url)
    connection.channel().confirm_select()
    socket = connection.transport.sock
    window, confirms, sent = publication(body) * at_once, Confirms(), 0
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        socket.sendall(window)
        sent += at_once
        while sent - confirms.confirmed > at_once * (windows - 1):
            confirms.read(socket.recv(1 << 16))
    while confirms.confirmed < sent:
        confirms.read(socket.recv(1 << 16))
    took = time.perf_counter() - started
    connection.close()
    return sent, took
