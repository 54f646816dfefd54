"""Events as lines: aligned and coloured for people, the whole envelope for machines."""

import zlib
from collections.abc import Iterable

from django.utils.termcolors import make_style

from bandstand.clock import rfc3339
from bandstand.events.backends import Message
from bandstand.events.envelope import Envelope, UnreadableEnvelope

__all__ = ["Lines"]

_COLOURS = ("cyan", "green", "yellow", "magenta", "blue", "red")


class Lines:
    """Writes one line for each event; a type keeps its colour."""

    def __init__(self, types: Iterable[str], *, colours: bool) -> None:
        self._width = max(map(len, types), default=0)
        self._colours = colours

    def line(self, message: Message) -> str:
        """When, what, about what, and the data."""
        try:
            envelope = Envelope.decoded(message.body)
        except UnreadableEnvelope as error:
            return f"{'?':12}  {self._painted(message.type)}  {message.subject:36}  unreadable: {error}"
        at = rfc3339(envelope.time)[11:23]
        return f"{at}  {self._painted(envelope.type)}  {envelope.subject:36}  {envelope.data.decode()}"

    def _painted(self, type_: str) -> str:
        text = type_.ljust(self._width)
        if not self._colours:
            return text
        colour = _COLOURS[zlib.crc32(type_.encode()) % len(_COLOURS)]
        return make_style(fg=colour)(text)
