"""From publish to effect: at least once on the way, exactly once in the end, in order per aggregate."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction

from bandstand import context
from bandstand.events import Event, consumer, publish
from bandstand.events.backends import Message
from bandstand.events.models import DeliveredRow, InboxRow, OutboxRow, WaitingRow
from bandstand.lifecycle import start_loops
from bandstand.observability.tracing import drain_spans


class ThingMade(Event, name="project.thing_made.v1", subject="thing"):
    """A thing exists."""

    thing: str
    number: int = 0


class ThingSold(Event, name="project.thing_sold.v1", subject="thing"):
    """A thing is gone."""

    thing: str


def announce(*events):
    with transaction.atomic():
        return [publish(event) for event in events]


def names():
    return list(Group.objects.order_by("id").values_list("name", flat=True))


def note(text):
    Group.objects.create(name=text)


def test_an_event_reaches_its_consumer_and_leaves_its_traces(stage):
    @consumer(ThingMade)
    def note_thing(event, envelope):
        note(f"{event.thing}/{envelope.sequence}")

    (event_id,) = announce(ThingMade(thing="a"))
    sequence = OutboxRow.objects.get().id
    stage.carry()
    assert names() == [f"a/{sequence}"]
    assert not OutboxRow.objects.exists()
    assert DeliveredRow.objects.get().event_id == event_id
    with connection.cursor() as cursor:
        cursor.execute("SELECT consumer, event_id FROM audit_inbox")
        assert cursor.fetchall() == [("project.note_thing", str(event_id))]
        cursor.execute("SELECT state, sequence FROM audit_outbox")
        assert cursor.fetchall() == [("delivered", sequence)]


def test_several_consumers_each_get_the_event_and_their_own_inbox_row(stage):
    @consumer(ThingMade)
    def first(event, envelope):
        note("first")

    @consumer(ThingMade)
    def second(event, envelope):
        note("second")

    @consumer(ThingSold)
    def third(event, envelope):
        note("third")

    announce(ThingMade(thing="a"), ThingSold(thing="a"))
    stage.carry()
    assert sorted(names()) == ["first", "second", "third"]
    assert InboxRow.objects.count() == 3


def test_a_redelivered_event_is_applied_once(stage):
    @consumer(ThingMade)
    def note_thing(event, envelope):
        note(event.thing)

    announce(ThingMade(thing="a"))
    stage.carry()
    stage.restart()  # the cursor was not flushed
    stage.consume(2)
    assert names() == ["a"]


def test_an_event_that_was_published_twice_is_applied_once_even_within_one_batch(stage):
    @consumer(ThingMade)
    def note_thing(event, envelope):
        note(event.thing)

    announce(ThingMade(thing="a"))
    row = OutboxRow.objects.get()
    twin = OutboxRow(id=row.id, event_id=row.event_id, type=row.type, subject=row.subject, envelope=row.envelope)
    stage.bus.publish([Message(event_id=str(twin.event_id), type=twin.type, subject="a", body=twin.envelope)])
    stage.carry()
    assert names() == ["a"]


def test_order_holds_within_a_subject(stage):
    seen = []

    @consumer(ThingMade)
    def record(event, envelope):
        seen.append((event.thing, event.number, envelope.sequence))

    for number in range(30):
        announce(ThingMade(thing="ab"[number % 2], number=number))
    stage.relay()
    stage.consume(3)
    for thing in "ab":
        mine = [each for each in seen if each[0] == thing]
        assert mine == sorted(mine, key=lambda each: each[1])
        assert [each[2] for each in mine] == sorted({each[2] for each in mine})


def test_a_failing_handler_leaves_no_effect_and_does_not_hold_up_others(stage):
    @consumer(ThingMade)
    def fail_for_a(event, envelope):
        note(f"half-{event.thing}")
        if event.thing == "a":
            raise RuntimeError("not yet")

    @consumer(ThingMade)
    def succeed(event, envelope):
        note(f"fine-{event.thing}")

    announce(ThingMade(thing="a"), ThingMade(thing="b"))
    stage.relay()
    stage.consume()
    assert sorted(names()) == ["fine-a", "fine-b", "half-b"]
    (waiting,) = WaitingRow.objects.all()
    assert (waiting.consumer, waiting.subject, waiting.attempts) == ("project.fail_for_a", "a", 1)
    assert waiting.reason == "RuntimeError: not yet"
    assert "fail_for_a" in waiting.traceback


def test_the_context_of_the_publisher_travels_to_the_consumer(stage):
    seen = []

    @consumer(ThingMade)
    def look(event, envelope):
        seen.append(context.current())

    work = context.Context()
    with context.bound(work):
        (event_id,) = announce(ThingMade(thing="a"))
    drain_spans()
    stage.carry()
    (found,) = seen
    assert (found.correlation_id, found.causation_id) == (work.correlation_id, str(event_id))
    assert (found.trace_id, found.parent_span_id) == (work.trace_id, work.span_id)
    (span,) = [each for each in drain_spans() if each.kind == "consumer"]
    assert span.links == (work.traceparent,)


def test_an_event_published_by_a_handler_names_its_cause(stage):
    @consumer(ThingMade)
    def sell(event, envelope):
        publish(ThingSold(thing=event.thing))

    work = context.Context()
    with context.bound(work):
        (event_id,) = announce(ThingMade(thing="a"))
    stage.carry()
    row = OutboxRow.objects.get()
    assert f'"causationid":"{event_id}"' in row.envelope
    assert f'"correlationid":"{work.correlation_id}"' in row.envelope


def test_real_loops_carry_events_promptly_without_waiting_for_the_safety_poll(stage):
    @consumer(ThingMade)
    def note_thing(event, envelope):
        note(event.thing)

    with stage.running():
        announce(ThingMade(thing="warm"))
        stage.eventually(lambda: "warm" in names())
        for number in range(5):
            announce(ThingMade(thing=f"t{number}"))
            stage.eventually(lambda wanted=f"t{number}": wanted in names(), seconds=0.7)


def test_draining_stops_the_loops_at_once(stage):
    @consumer(ThingMade)
    def note_thing(event, envelope):
        note(event.thing)

    with stage.running():
        announce(ThingMade(thing="a"))
        stage.eventually(lambda: names() == ["a"])
    (group,) = stage.bus.groups()
    assert group.lag == 0  # the last acknowledgements were flushed


def test_a_service_without_consumers_registers_no_group(stage):
    stage.consume()
    assert stage.bus.groups() == []


def test_two_consumers_of_one_name_are_refused():
    @consumer(ThingMade, name="twice")
    def one(event, envelope): ...

    with pytest.raises(ValueError, match="two consumers are named 'twice'"):

        @consumer(ThingMade, name="twice")
        def two(event, envelope): ...


@pytest.mark.parametrize("stage", [{"CONSUMER_HOLD": timedelta(0), "CONSUMER_BATCH": 16}], indirect=True)
def test_batches_shrink_so_that_transactions_stay_short(stage):
    seen = []

    @consumer(ThingMade)
    def record(event, envelope):
        seen.append(event.number)

    announce(*[ThingMade(thing="a", number=number) for number in range(40)])
    stage.relay()
    stage.consume(1)
    assert len(seen) == 16
    stage.consume(1)
    assert len(seen) == 24
    stage.consume(20)
    assert seen == list(range(40))


def test_without_a_bus_the_loops_say_so_and_rest(transactional_db, caplog, settings):
    assert "EVENTS" not in settings.BANDSTAND
    worker = start_loops(["relay", "consumers"])
    announce(ThingMade(thing="a"))
    assert worker.alive()
    worker.drain(timedelta(seconds=5))
    assert [record.message for record in caplog.records if record.message == "events.no_bus"] == ["events.no_bus"] * 2
    assert OutboxRow.objects.count() == 1
