"""Where a subscription begins in a partition: where the group's own database says, or where Kafka does."""

from collections.abc import Callable, Mapping

from bandstand.events.backends.kafka.registry import Registered
from bandstand.events.backends.kafka.tracking import Place

__all__ = ["Bookmarks", "Kept"]

Kept = Callable[[], Mapping[str, int]]
"""Reads the bookmarks out of the group's database."""


class Bookmarks:
    """Offsets under names that outlive the subscription, but not the topic: one made anew begins anew."""

    def __init__(self, incarnations: Mapping[str, str], kept: Kept | None) -> None:
        self._incarnations = incarnations
        self._kept = kept

    def named(self, offsets: Mapping[Place, int]) -> dict[str, int]:
        """Offsets as the database keeps them; none where it keeps none."""
        return {} if self._kept is None else {self._name(place): offset for place, offset in offsets.items()}

    def starts(self, committed: Mapping[Place, int | None], registered: Registered) -> dict[Place, int]:
        """The offset to begin at in each of these partitions. Raises BusUnavailable.

        What Kafka has committed counts only where the database keeps nothing at all: one that was restored from a
        backup has to read again what its effects have lost.
        """
        if self._kept is None:
            return {place: max(offset or 0, registered.start(place)) for place, offset in committed.items()}
        kept = self._kept()
        return {place: max(kept.get(self._name(place), 0), registered.start(place)) for place in committed}

    def _name(self, place: Place) -> str:
        topic, number = place
        return f"{topic}/{number}@{self._incarnations.get(topic, '')}"
