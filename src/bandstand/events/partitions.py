"""Dividing the outbox among relays: by the subject, so that order within one is kept by whoever relays it."""

import zlib
from dataclasses import dataclass

__all__ = ["SLOTS", "WHOLE", "Partition", "slot_of"]

SLOTS = 64
"""A row's slot is written once and for all; partitions are made of slots, so that their number may change."""


def slot_of(subject: str) -> int:
    """The slot of a subject, the same in every process and release."""
    return zlib.crc32(subject.encode(errors="surrogatepass")) % SLOTS  # a foreign publisher may send a lone one


@dataclass(frozen=True, kw_only=True)
class Partition:
    """One of several equal parts of the outbox."""

    number: int = 0
    of: int = 1

    @property
    def name(self) -> str:
        """What its lease is called."""
        return "relay" if self.of == 1 else f"relay {self.number} of {self.of}"

    @property
    def condition(self) -> str:
        """What is true about its rows, to follow other conditions."""
        return "" if self.of == 1 else f" AND slot %% {self.of} = {self.number}"


WHOLE = Partition()
