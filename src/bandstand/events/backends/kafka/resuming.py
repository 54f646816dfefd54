"""Where a subscription begins in a partition: where the group's own database says, or where Kafka does."""

from collections.abc import Callable, Collection, Mapping

from bandstand.events.backends.kafka.options import log
from bandstand.events.backends.kafka.registry import Registered
from bandstand.events.backends.kafka.tracking import Place

__all__ = ["Bookmarks", "Kept"]

Kept = Callable[[], Mapping[str, int]]
"""Reads the bookmarks out of the group's database."""


class Bookmarks:
    """Offsets under names that outlive the subscription, but not the topic: one made anew begins anew."""

    def __init__(
        self,
        kept: Kept | None,
        *,
        incarnations: Mapping[str, str],
        oldest: Callable[[Collection[Place]], Mapping[Place, int]],
    ) -> None:
        self._kept = kept
        self._incarnations = incarnations
        self._oldest = oldest

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
        self._warn_of_gaps({place: kept[name] for place in committed if (name := self._name(place)) in kept})
        return {place: max(kept.get(self._name(place), 0), registered.start(place)) for place in committed}

    def _warn_of_gaps(self, wanted: Mapping[Place, int]) -> None:
        """Say where the topic's retention has dropped what the database still lacks: the client begins behind it."""
        for place, oldest in self._oldest(wanted).items():
            if wanted[place] < oldest:
                extra = {"topic": place[0], "partition": place[1], "wanted": wanted[place], "oldest": oldest}
                log.error("kafka.events_gone", extra=extra)

    def _name(self, place: Place) -> str:
        topic, number = place
        return f"{topic}/{number}@{self._incarnations.get(topic, '')}"
