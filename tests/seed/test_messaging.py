"""The articles' messaging, checklist 91-104: each fault shown on a few lines of the naive code, and mended in ours."""

import json
import sqlite3
import threading
from collections import deque
from datetime import timedelta
from itertools import pairwise

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from tests.events.staging import own_registry, staged

from bandstand.events import Envelope, Event, consumer, publish
from bandstand.events.models import DeadLetter, OutboxRow


@pytest.fixture(autouse=True)
def _own_registry():
    with own_registry():
        yield


@pytest.fixture
def stage(tmp_path, transactional_db):
    with staged(tmp_path, RETRY_BASE=timedelta(0), ATTEMPTS=3) as found:
        yield found


class UserCreated(Event, name="project.user_created.v1", subject="user"):
    """As in the articles."""

    user: str


class Crash(BaseException):
    """The process dies here."""


class Queue:
    """A broker's queue as the articles use it: acknowledge, requeue or drop."""

    def __init__(self, *messages):
        self.waiting = deque(messages)
        self.deliveries = 0

    def deliver(self, handler, *, requeue, limit=1000):
        while self.waiting and self.deliveries < limit:
            self.deliveries += 1
            message = self.waiting.popleft()
            try:
                handler(message)
            except ValueError:
                if requeue:
                    self.waiting.appendleft(message)


def users():
    return list(Group.objects.order_by("id").values_list("name", flat=True))


class TestDualWrite:
    """99: publish after save, in the view."""

    def test_naive_a_crash_between_commit_and_publish_loses_the_event(self, transactional_db):
        broker = []

        def register(name, *, dies):
            with transaction.atomic():
                Group.objects.create(name=name)
            if dies:
                raise Crash
            broker.append(name)

        with pytest.raises(Crash):
            register("ada", dies=True)
        assert users() == ["ada"]
        assert broker == []  # nobody will ever hear of ada

    def test_naive_publishing_inside_the_transaction_announces_what_never_was(self, transactional_db):
        broker = []
        with transaction.atomic():
            Group.objects.create(name="ada")
            broker.append("ada")
            transaction.set_rollback(True)
        assert (users(), broker) == ([], ["ada"])

    def test_ours_the_event_shares_the_fate_of_the_fact(self, stage):
        def register(name, *, dies):
            with transaction.atomic():
                Group.objects.create(name=name)
                publish(UserCreated(user=name))
                if dies:
                    raise Crash

        with pytest.raises(Crash):
            register("ada", dies=True)
        register("bob", dies=False)
        assert users() == ["bob"]
        assert list(OutboxRow.objects.values_list("subject", flat=True)) == ["bob"]
        assert stage.relay() == 1


class TestPoison:
    """93 and 94: `nack(requeue=True)` on any error, and its opposite."""

    @staticmethod
    def handler(message):
        if message == "poison":
            raise ValueError(message)

    def test_naive_requeueing_loops_at_full_speed_and_blocks_the_rest(self):
        queue = Queue("poison", "good")
        queue.deliver(self.handler, requeue=True)
        assert queue.deliveries == 1000
        assert list(queue.waiting) == ["poison", "good"]

    def test_naive_not_requeueing_drops_the_event_without_a_trace(self):
        queue = Queue("poison", "good")
        queue.deliver(self.handler, requeue=False)
        assert not queue.waiting

    def test_ours_tries_a_bounded_number_of_times_keeps_it_visible_and_goes_on(self, stage):
        calls = []

        @consumer(UserCreated)
        def create_profile(event, envelope):
            calls.append(event.user)
            if event.user == "poison":
                raise ValueError(event.user)

        with transaction.atomic():
            publish(UserCreated(user="poison"))
            publish(UserCreated(user="good"))
        stage.relay()
        stage.consume(20)
        assert calls.count("poison") == 4  # together with others, alone, and twice more
        assert "good" in calls
        assert DeadLetter.objects.get().reason == "ValueError: poison"


class TestFireAndForget:
    """95: publish/subscribe keeps nothing for who is away."""

    def test_naive_a_restarting_subscriber_misses_events(self):
        subscribers, heard = [], []

        def publish_now(event):
            for each in subscribers:
                each(event)

        publish_now("while away")
        subscribers.append(heard.append)
        publish_now("while present")
        assert heard == ["while present"]

    def test_ours_delivers_what_happened_meanwhile(self, stage):
        @consumer(UserCreated)
        def create_profile(event, envelope):
            Group.objects.create(name=event.user)

        with transaction.atomic():
            publish(UserCreated(user="while away"))
        stage.relay()  # nobody has subscribed yet
        stage.carry()
        assert users() == ["while away"]


class TestRedelivery:
    """97 and 100: no event id, and a handler that is not idempotent."""

    ENVELOPE = json.dumps({"event_type": "user.created", "data": {"user": "ada"}, "timestamp": 1.0, "service": "users"})

    def test_naive_the_same_event_twice_is_two_profiles(self, transactional_db):
        def handle_user_created(body):
            Group.objects.create(name=f"{json.loads(body)['data']['user']} {Group.objects.count()}")

        for _ in range(2):  # at least once: the acknowledgement was lost
            handle_user_created(self.ENVELOPE)
        assert len(users()) == 2

    def test_naive_marking_in_a_transaction_of_its_own_loses_the_effect(self, transactional_db):
        seen = set()

        def handle(event_id, *, dies=False):
            if event_id in seen:
                return
            seen.add(event_id)
            if dies:
                raise Crash
            Group.objects.create(name=event_id)

        with pytest.raises(Crash):
            handle("1", dies=True)
        handle("1")
        assert users() == []

    def test_ours_applies_once_whatever_is_delivered(self, stage):
        @consumer(UserCreated)
        def create_profile(event, envelope):
            Group.objects.create(name=f"{event.user} {Group.objects.count()}")

        with transaction.atomic():
            publish(UserCreated(user="ada"))
        envelope = Envelope.decoded(OutboxRow.objects.get().envelope)
        assert (envelope.type, envelope.subject) == ("project.user_created.v1", "ada")
        stage.carry()
        stage.restart()
        stage.carry()
        assert users() == ["ada 0"]


class TestSubscribing:
    """102: `subscribe()` consumes for ever, so the second subscription never happens."""

    def test_naive_the_second_subscription_is_never_reached(self):
        reached, stop = [], threading.Event()

        def subscribe(name):
            reached.append(name)
            stop.wait()

        def setup_event_handlers():
            subscribe("user.created")
            subscribe("order.created")

        thread = threading.Thread(target=setup_event_handlers)
        thread.start()
        thread.join(0.1)
        assert reached == ["user.created"]
        assert thread.is_alive()
        stop.set()
        thread.join()

    def test_ours_one_loop_serves_every_subscription(self, stage):
        class OrderCreated(Event, name="project.order_created.v1", subject="order"):
            order: str

        @consumer(UserCreated)
        def first(event, envelope):
            Group.objects.create(name=event.user)

        @consumer(OrderCreated)
        def second(event, envelope):
            Group.objects.create(name=event.order)

        with transaction.atomic():
            publish(UserCreated(user="ada"))
            publish(OrderCreated(order="one"))
        stage.carry()
        assert users() == ["ada", "one"]


class TestOrder:
    """Ids are taken before the commit: polling by `id > last` passes over what commits late."""

    def test_naive_a_position_loses_the_late_commit(self):
        with sqlite3.connect(":memory:") as database:
            database.execute("CREATE TABLE outbox (id INTEGER PRIMARY KEY, fact TEXT)")
            last, sent = 0, []

            def poll(last):
                rows = database.execute("SELECT id, fact FROM outbox WHERE id > ? ORDER BY id", (last,)).fetchall()
                sent.extend(fact for _, fact in rows)
                return rows[-1][0] if rows else last

            database.execute("INSERT INTO outbox VALUES (2, 'committed first')")
            last = poll(last)
            database.execute("INSERT INTO outbox VALUES (1, 'committed late')")
            poll(last)
            assert sent == ["committed first"]

    def test_ours_reads_every_live_row(self, stage):
        with transaction.atomic():
            publish(UserCreated(user="late"))
            publish(UserCreated(user="first"))
        late = OutboxRow.objects.get(subject="late")
        OutboxRow.objects.filter(pk=late.pk).delete()  # invisible as yet
        assert stage.relay() == 1
        late.save(force_insert=True)
        assert stage.relay() == 1

    def test_ours_sequences_grow_strictly_within_an_aggregate(self, stage):
        seen = []

        @consumer(UserCreated)
        def look(event, envelope):
            seen.append(envelope.sequence)

        for _ in range(3):
            with transaction.atomic():
                publish(UserCreated(user="ada"))
            stage.relay()  # each time the table is emptied, and the ids go on
        stage.consume(2)
        assert all(earlier < later for earlier, later in pairwise(seen))
        assert len(seen) == 3
