"""The places of a group in its own database: forward only, and part of the transaction that applies."""

from uuid import uuid4

import pytest
from django.db import connection, transaction
from tests.events.staging import on_both

from bandstand import clock
from bandstand.events import Event, consumer, registry
from bandstand.events.backends import BusUnavailable, Delivery, Message
from bandstand.events.bookmarks import Bookmarks
from bandstand.events.envelope import Envelope
from bandstand.events.inbox import Inbox
from bandstand.events.models import WaitingRow

pytestmark = pytest.mark.django_db(transaction=True)


class ThingMade(Event, name="project.thing_made.v1", subject="thing"):
    """A thing exists."""

    thing: str


def bookmarks(stage, reader="readers"):
    return Bookmarks(reader, using=stage.config.database)


@on_both()
def test_a_bookmark_moves_forward_and_never_back(theatre):
    bookmarks(theatre).keep({"topic/0": 5, "topic/1": 7})
    bookmarks(theatre).keep({"topic/1": 6, "topic/0": 8})
    assert bookmarks(theatre).kept() == {"topic/0": 8, "topic/1": 7}
    assert bookmarks(theatre, "others").kept() == {}


@on_both()
def test_a_bookmark_goes_with_the_transaction_that_did_not_happen(theatre):
    using = theatre.config.database
    with transaction.atomic(using=using):
        bookmarks(theatre).keep({"topic/0": 5})
        transaction.set_rollback(True, using=using)
    assert bookmarks(theatre).kept() == {}


@on_both()
def test_bookmarks_are_kept_where_one_of_the_events_fails(theatre):
    @consumer(ThingMade)
    def refuse(event, envelope):
        raise ValueError(event.thing)

    envelope = Envelope(
        id=uuid4(), type=ThingMade.event_name, source="/project", subject="a", time=clock.now(), data=b'{"thing":"a"}'
    )
    message = Message(
        event_id=str(envelope.id), type=envelope.type, subject=envelope.subject, body=envelope.encoded().decode()
    )
    inbox = Inbox(registry.consumers(), theatre.config, group="readers")
    assert inbox.apply([Delivery(position=1, message=message)], {"topic/0": 5})
    assert bookmarks(theatre).kept() == {"topic/0": 5}
    assert WaitingRow.objects.using(theatre.config.database).count() == 1


def test_bookmarks_that_cannot_be_read_are_an_outage_of_the_bus(stage):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE bandstand_events_bookmark RENAME TO elsewhere")
    try:
        with pytest.raises(BusUnavailable, match="readers"):
            bookmarks(stage).kept()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE elsewhere RENAME TO bandstand_events_bookmark")
