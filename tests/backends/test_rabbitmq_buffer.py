"""The buffer of a RabbitMQ reader: what is done when events, foreign ones and places in the history alternate."""

from bandstand.events.backends.rabbitmq.buffer import Buffer
from tests.backends.steps import message


def test_what_is_passed_over_is_done_when_all_before_it_is():
    buffer = Buffer()
    buffer.pass_over(1)
    assert buffer.acked == 1
    buffer.add(2, message("a", 2))
    buffer.pass_over(3)
    assert buffer.acked == 1
    buffer.ack(buffer.hand_out(1)[-1].position)
    assert buffer.acked == 3
    buffer.pass_over(4)
    assert buffer.acked == 4


def test_only_what_was_handed_out_can_be_done():
    buffer = Buffer()
    for tag in (1, 2, 3):
        buffer.add(tag, message("a", tag))
    buffer.hand_out(2)
    buffer.ack(3)
    assert buffer.acked == 2
    assert [delivery.position for delivery in buffer.hand_out(5)] == [3]
    assert buffer.is_empty


def test_a_successor_reads_the_history_on_behind_what_is_done_and_no_more_behind_its_end():
    buffer = Buffer(place=40)
    for tag in (1, 2, 3):
        buffer.add(tag, message("a", tag))
        buffer.note(tag, 40 + tag)
    buffer.pass_over(4)
    buffer.note(4, None)
    assert buffer.place() == 40
    buffer.hand_out(3)
    buffer.ack(2)
    assert buffer.place() == 42
    buffer.ack(3)
    assert buffer.place() is None
