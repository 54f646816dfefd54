"""Publishing: one INSERT in the open transaction, or nothing."""

from uuid import UUID

import pytest
from django.db import connection, transaction

from bandstand import context
from bandstand.events import Envelope, Event, NoTransaction, publish, subscribe_locally
from bandstand.events.models import OutboxRow
from bandstand.events.publishing import EventTooLarge, NotPublishable


class ThingMade(Event, name="project.thing_made.v1", subject="thing"):
    """A thing exists."""

    thing: str
    note: str = ""


class ForeignFact(Event, name="elsewhere.fact_known.v1", subject="key"):
    """Somebody else's."""

    key: str


@pytest.mark.django_db(transaction=True)
def test_an_event_is_one_row_with_a_complete_envelope(django_assert_num_queries):
    work = context.Context(causation_id="cause-0001")
    with transaction.atomic(), context.bound(work), django_assert_num_queries(1):
        event_id = publish(ThingMade(thing="t1"))
    row = OutboxRow.objects.get()
    envelope = Envelope.decoded(row.envelope)
    assert (row.event_id, row.type, row.subject) == (event_id, "project.thing_made.v1", "t1")
    assert (envelope.id, envelope.source, envelope.subject) == (event_id, "project", "t1")
    assert (envelope.correlation_id, envelope.causation_id) == (work.correlation_id, "cause-0001")
    assert envelope.traceparent == work.traceparent
    assert ThingMade.decoded(envelope.data) == ThingMade(thing="t1")


@pytest.mark.django_db(transaction=True)
def test_publishing_outside_a_transaction_is_refused():
    with pytest.raises(NoTransaction):
        publish(ThingMade(thing="t1"))


@pytest.mark.django_db
def test_publishing_is_refused_within_a_test_case_transaction_as_in_production():
    with pytest.raises(NoTransaction):
        publish(ThingMade(thing="t1"))


@pytest.mark.django_db(transaction=True)
def test_a_rolled_back_fact_is_not_announced():
    with transaction.atomic():
        publish(ThingMade(thing="t1"))
        transaction.set_rollback(True)
    assert not OutboxRow.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("event", "error"),
    [(ForeignFact(key="k"), NotPublishable), (ThingMade(thing="t", note="x" * 300_000), EventTooLarge)],
)
def test_foreign_and_oversized_events_are_refused(event, error):
    with transaction.atomic(), pytest.raises(error):
        publish(event)


@pytest.mark.django_db(transaction=True)
def test_a_local_subscriber_runs_in_the_transaction_and_knows_the_sequence():
    class LocalFact(Event, name="project.local_fact_known.v1", subject="key"):
        key: UUID

    seen = []
    subscribe_locally(LocalFact, lambda event, envelope: seen.append((event, envelope.sequence)))
    event = LocalFact(key=UUID(int=7))
    with transaction.atomic():
        publish(event)
        assert seen == [(event, OutboxRow.objects.get().id)]


@pytest.mark.django_db(transaction=True)
def test_audit_outbox_says_what_is_pending():
    with transaction.atomic():
        event_id = publish(ThingMade(thing="t1"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT event_id, type, subject, state, created_at, delivered_at FROM audit_outbox")
        (row,) = cursor.fetchall()
    assert row[:4] == (str(event_id), "project.thing_made.v1", "t1", "pending")
    assert row[4].endswith("Z")
    assert row[5] is None


def test_names_and_subjects_are_checked_at_declaration():
    with pytest.raises(ValueError, match="no event name"):
        type("Bad", (Event,), {"__annotations__": {}}, name="OrderPlaced")
    with pytest.raises(ValueError, match="no field"):
        type("Bad", (Event,), {"__annotations__": {"key": str}}, name="project.bad_made.v1", subject="id")


def test_a_field_may_be_called_as_the_envelope_calls_things_but_not_as_event_does():
    class Named(Event, name="project.named_made.v1", subject="subject"):
        subject: str
        owner: str
        id: int

    assert Named.decoded(Named(subject="s", owner="o", id=1).encoded()) == Named(subject="s", owner="o", id=1)
    with pytest.raises(ValueError, match="cannot be called 'encoded'"):
        type("Bad", (Event,), {"__annotations__": {"encoded": str}})


def test_a_consumer_reads_only_the_fields_it_declares():
    class Slim(Event, name="project.thing_made.v1"):
        thing: str

    assert Slim.decoded(ThingMade(thing="t", note="n").encoded()) == Slim(thing="t")
