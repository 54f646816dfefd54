"""Entries that somebody else took for a group and never acknowledged, say with `redis-cli` or an ordinary consumer."""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

from bandstand.events.backends.base import Delivery, Message
from bandstand.events.backends.redis.connecting import Client

__all__ = ["Strays"]

_CONSUMER = "bandstand"
_DONE = "0-0"


@dataclass(frozen=True, slots=True)
class _Stray:
    stream: str
    id: str
    message: Message


class Strays:
    """Claims pending entries of a group, stream by stream in their order, before anything later is read."""

    def __init__(self, client: Client, group: str) -> None:
        self._client = client
        self._group = group
        self._left: dict[str, str] = {}
        self._open: deque[tuple[int, _Stray]] = deque()
        self._acked: list[_Stray] = []

    def expect(self, stream: str) -> None:
        """Look through the pending entries of *stream*."""
        self._left[stream] = _DONE

    def fetch(self, types: Collection[str], limit: int) -> list[_Stray]:
        """The next ones of these types, or none when all were handed out."""
        while self._left:
            stream, start = next(iter(self._left.items()))
            after, claimed = self._claim(stream, start, limit)
            if after == _DONE:
                del self._left[stream]
            else:
                self._left[stream] = after
            found = [stray for stray in claimed if stray.message.type in types]
            self._acked += [stray for stray in claimed if stray.message.type not in types]
            if found:
                return found
        return []

    def delivered(self, position: int, stray: _Stray) -> Delivery:
        """Note that it is on its way."""
        self._open.append((position, stray))
        return Delivery(position=position, message=stray.message)

    def ack(self, position: int) -> None:
        """Everything up to *position* is done."""
        while self._open and self._open[0][0] <= position:
            self._acked.append(self._open.popleft()[1])

    @property
    def unflushed(self) -> bool:
        """Whether acknowledgements wait."""
        return bool(self._acked)

    def flush(self) -> None:
        """Acknowledge them to the server; harmless even when another process reads by now."""
        if self._acked:
            with self._client.pipeline(transaction=False) as pipeline:
                for stray in self._acked:
                    pipeline.xack(stray.stream, self._group, stray.id)
                pipeline.execute()
            self._acked = []

    def _claim(self, stream: str, start: str, limit: int) -> tuple[str, list[_Stray]]:
        answer = self._client.xautoclaim(stream, self._group, _CONSUMER, 0, start, count=limit)
        return str(answer[0]), [_stray(stream, id_, fields) for id_, fields in answer[1]]


def _stray(stream: str, id_: str, fields: dict[str, str]) -> _Stray:
    of = {name: fields.get(name, "") for name in ("event_id", "type", "subject", "body")}
    return _Stray(stream, id_, Message(**of))
