"""A foreign broker on a bad day: it stands where a real one would, behind the contract."""

from collections.abc import Callable, Collection, Sequence

from bandstand.events.backends import BusUnavailable, Message, Published


class Broker:
    """Takes everything but what it is told to refuse; tells *watching* whenever it is asked."""

    def __init__(
        self,
        *,
        refuses: Collection[str] = (),
        words: str = "not for me",
        is_down: bool = False,
        watching: Callable[[], object] = int,
    ) -> None:
        self.refuses, self.is_down, self.taken = set(refuses), is_down, []
        self._words = words
        self._watching = watching

    def publish(self, messages: Sequence[Message]) -> Published:
        """As a bus does."""
        self._watching()
        if self.is_down:
            raise BusUnavailable
        accepted, refused, blocked = set(), {}, set()
        for message in messages:
            if message.subject in blocked:
                continue
            if message.subject in self.refuses:
                refused[message.event_id] = self._words
                blocked.add(message.subject)
                continue
            self.taken.append(message)
            accepted.add(message.event_id)
        return Published(accepted=frozenset(accepted), refused=refused)

    @property
    def subjects(self) -> list[str]:
        """The subjects of what it took."""
        return [message.subject for message in self.taken]
