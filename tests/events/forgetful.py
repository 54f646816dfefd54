"""A bus as brokers with queues are: an event that no group waits for is gone."""

from collections.abc import Collection, Sequence

from bandstand.events.backends import Message, Published
from bandstand.events.backends.embedded import EmbeddedBus


class ForgetfulBus(EmbeddedBus):
    """`forgetful:////path`, once a test has made the scheme known."""

    keeps_history = False

    def publish(self, messages: Sequence[Message]) -> Published:
        """Take all and keep what is wanted at this moment."""
        wanted = {type_ for report in self.groups() for type_ in report.types}
        published = super().publish([message for message in messages if message.type in wanted])
        gone = {message.event_id for message in messages if message.type not in wanted}
        return Published(accepted=published.accepted | gone, refused=published.refused)

    def register(self, group: str, types: Collection[str], *, from_beginning: bool) -> None:
        """A new group begins now, whatever is wished."""
        super().register(group, types, from_beginning=False)
