"""How much a group has not acknowledged: what is ready on the server, and what its reader holds, who is asked.

RabbitMQ tells only its management plugin how many messages a consumer holds. So a reader answers for itself, through
the exclusive queue that makes it the reader; where nobody reads, the question comes back.
"""

from collections.abc import Callable, Collection

import amqp
from amqp.spec import Basic

from bandstand import clock
from bandstand.events.backends.rabbitmq.connecting import ANSWER_SECONDS, unavailable
from bandstand.events.backends.rabbitmq.options import Options

__all__ = ["answer", "held", "questions"]

_REPLIES = "amq.rabbitmq.reply-to"
_AGAIN_SECONDS = 1.0


def held(connection: amqp.Connection, options: Options, groups: Collection[str]) -> dict[str, int]:
    """How many events the reader of each group holds. Raises BusUnavailable where a reader does not answer."""
    answers: dict[str, int] = {}
    deadline = clock.monotonic() + ANSWER_SECONDS
    while missing := set(groups) - answers.keys():
        if clock.monotonic() > deadline:
            raise unavailable(f"the reader of {min(missing)!r} does not answer")
        answers |= _asked(connection, {options.reader(group): group for group in missing})
    return answers


def questions(connection: amqp.Connection, options: Options, group: str, ask: Callable[[amqp.Message], None]) -> None:
    """Have the questions that come to the reader of *group*, which this connection is, handed to *ask*."""
    connection.channel().basic_consume(options.reader(group), callback=ask, no_ack=True)


def answer(connection: amqp.Connection, _: Options, *, question: amqp.Message, count: int) -> None:
    """Tell whoever asked how many events this reader holds."""
    reply = amqp.Message(str(count), correlation_id=question.properties["correlation_id"])
    channel = connection.channel()
    channel.send_method(Basic.Publish, "Bssbb", (0, "", question.properties["reply_to"], False, False), reply)
    channel.close()


def _asked(connection: amqp.Connection, readers: dict[str, str]) -> dict[str, int]:
    answers: dict[str, int] = {}

    def answered(reply: amqp.Message) -> None:
        answers[reply.properties["correlation_id"]] = int(reply.body)

    def came_back(_: Exception, __: str, reader: str, ___: amqp.Message) -> None:
        answers[readers[reader]] = 0

    channel = connection.channel()
    channel.events["basic_return"].add(came_back)
    channel.basic_consume(_REPLIES, callback=answered, no_ack=True)
    for reader, group in readers.items():
        question = amqp.Message("", reply_to=_REPLIES, correlation_id=group)
        channel.send_method(Basic.Publish, "Bssbb", (0, "", reader, True, False), question)
    deadline = clock.monotonic() + _AGAIN_SECONDS
    while len(answers) < len(readers) and (left := deadline - clock.monotonic()) > 0:
        try:
            connection.drain_events(timeout=left)
        except TimeoutError:
            break
    channel.close()
    return answers
