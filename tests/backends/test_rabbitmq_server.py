"""What the RabbitMQ bus does beyond the suite: what a server and its operators do to it, and how it is kept bounded."""

import re
import threading
from uuid import uuid4

import amqp
import pytest

from bandstand import clock
from bandstand.config import ConfigurationError
from bandstand.engines.ports import free_port
from bandstand.events.backends import BusUnavailable, open_bus
from bandstand.testing.engines import RunningEngine
from tests.backends.steps import MADE, SOLD, again, fetch_until, lags, message, run, subscribed, take, taken
from tests.servers import skip_where_absent

skip_where_absent("rabbitmq")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RunningEngine("rabbitmq", tmp_path_factory.mktemp("rabbitmq")) as server:
        yield server


@pytest.fixture
def prefix():
    return uuid4().hex


@pytest.fixture
def url(server, prefix):
    return f"{server.url}?prefix={prefix}"


@pytest.fixture
def bus(url):
    bus = open_bus(url)
    yield bus
    bus.close()


@pytest.fixture
def operator(server):
    """Somebody with a client of their own."""
    with amqp.Connection(f"127.0.0.1:{server.port}") as connection:
        yield connection.channel()


class TestPublishing:
    def test_an_event_that_reaches_no_queue_is_not_accepted_until_there_is_one_again(self, bus, operator, prefix):
        sent = message("a", 1)
        assert bus.publish([sent]).accepted == {sent.event_id}
        operator.queue_delete(f"{prefix}.history")
        with pytest.raises(BusUnavailable, match=r"nothing takes 'shop\.thing_made\.v1'"):
            bus.publish([message("a", 2)])
        assert bus.publish([message("a", 3)]).accepted

    def test_an_exchange_that_was_deleted_is_made_anew_with_the_bindings_of_every_group(self, bus, operator, prefix):
        bus.register("makers", [MADE], from_beginning=True)
        bus.register("both", [MADE, SOLD], from_beginning=True)
        operator.exchange_delete(f"{prefix}.events")
        again(lambda: bus.publish([message("a", 1)]).accepted)
        again(lambda: bus.publish([message("a", 2, type_=SOLD)]).accepted)
        assert taken(subscribed(bus, "makers"), 1) == ["a:1"]
        assert taken(subscribed(bus, "both"), 2) == ["a:1", "a:2"]

    def test_what_a_full_queue_rejects_is_not_accepted(self, bus, operator, prefix):
        arguments = {"x-queue-type": "quorum", "x-max-length": 2, "x-overflow": "reject-publish"}
        operator.queue_declare(f"{prefix}.group.full", durable=True, auto_delete=False, arguments=arguments)
        bus.register("full", [MADE], from_beginning=True)
        with pytest.raises(BusUnavailable, match="rejected"):
            _publish_again_and_again(bus)  # the limit of a queue is not exact

    def test_another_node_is_used_where_the_first_does_not_answer(self, server, prefix):
        bus = open_bus(f"amqp://guest:guest@127.0.0.1:{free_port()},127.0.0.1:{server.port}/?prefix={prefix}")
        assert bus.publish([message("a", 1)]).accepted
        bus.close()


class TestReading:
    def test_a_reader_whose_handler_takes_longer_than_the_heartbeats_last_stays_the_reader(self, url, bus):
        impatient = open_bus(f"{url}&heartbeat=1")
        impatient.register("slow", [MADE], from_beginning=True)
        impatient.publish([message("a", 1)])
        subscription = subscribed(impatient, "slow")
        (delivery,) = take(subscription, 1)
        threading.Event().wait(4)  # the server gives up a connection that was silent for two seconds
        assert bus.subscribe("slow") is None
        subscription.ack(delivery.position)
        subscription.flush()
        assert lags(bus) == [0]
        assert impatient.publish([message("a", 2)]).accepted
        impatient.close()

    def test_a_waiter_may_be_closed_twice(self, bus):
        waiter = bus.waiter("readers")
        waiter.close()
        waiter.close()

    def test_lag_counts_what_the_reader_of_another_process_holds(self, url, bus):
        bus.register("readers", [MADE], from_beginning=True)
        bus.publish([message("a", number) for number in range(3)])
        actor = run("hold", url, "readers", "2")
        assert actor.stdout.readline().strip() == "holding 2"
        assert lags(bus) == [3]
        actor.communicate()

    def test_what_its_readers_lose_too_often_is_set_aside_and_named(self, url, operator, prefix):
        bus = open_bus(f"{url}&delivery_limit=2")
        bus.register("readers", [MADE], from_beginning=True)
        bus.publish([message("a", 1)])
        for _ in range(3):
            subscription = subscribed(bus, "readers")
            take(subscription, 1)
            subscription.close()
        (doubt,) = again(lambda: [each for each in bus.doubts() if "queue is not as" not in each])
        assert doubt == f"1 events were handed out too often and lie in the queue {prefix}.dead"
        letter = operator.basic_get(f"{prefix}.dead", no_ack=True)
        assert letter.body == b"a:1"
        assert letter.headers["x-first-death-queue"] == f"{prefix}.group.readers"
        bus.close()

    def test_a_reader_that_only_asks_whether_it_can_work_uses_up_no_delivery(self, url, bus):
        limited = open_bus(f"{url}&delivery_limit=1")
        limited.register("readers", [MADE], from_beginning=True)
        limited.publish([message("a", 1)])
        for _ in range(4):
            subscribed(limited, "readers").close()
        assert taken(subscribed(limited, "readers"), 1) == ["a:1"]
        limited.close()

    def test_acknowledgements_make_room_without_a_flush(self, url):
        bus = open_bus(f"{url}&prefetch=8")
        bus.register("readers", [MADE], from_beginning=True)
        bus.publish([message("a", number) for number in range(100)])
        subscription = subscribed(bus, "readers")
        for number in range(100):
            (delivery,) = take(subscription, 1)
            assert delivery.message.body == f"a:{number}"
            subscription.ack(delivery.position)
        assert again(lambda: lags(bus)[0] <= 8)
        bus.close()

    def test_a_queue_that_is_deleted_ends_its_reader_and_is_made_anew_from_the_history(self, bus, operator, prefix):
        bus.register("readers", [MADE], from_beginning=True)
        bus.publish([message("a", 1)])
        subscription = subscribed(bus, "readers")
        assert taken(subscription, 1) == ["a:1"]
        operator.queue_delete(f"{prefix}.group.readers")
        with pytest.raises(BusUnavailable, match="deleted"):
            fetch_until(subscription, 1)
        with pytest.raises(BusUnavailable, match="not registered"):
            bus.subscribe("readers")
        bus.register("readers", [MADE], from_beginning=True)
        bus.publish([message("a", 2)])
        assert taken(again(lambda: bus.subscribe("readers")), 2) == ["a:1", "a:2"]


class TestRegistering:
    def test_groups_that_register_at_once_are_all_known(self, url, bus):
        def register(number):
            mine = open_bus(url)
            mine.register(f"group-{number}", [MADE], from_beginning=True)
            mine.close()

        threads = [threading.Thread(target=register, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [report.name for report in bus.groups()] == [f"group-{number}" for number in range(6)]

    def test_a_type_that_is_given_up_is_routed_there_no_more(self, bus):
        bus.register("readers", [MADE, SOLD], from_beginning=True)
        bus.register("readers", [MADE], from_beginning=True)
        bus.publish([message("a", 1, type_=SOLD), message("a", 2)])
        assert taken(subscribed(bus, "readers"), 1) == ["a:2"]

    def test_a_group_that_is_forgotten_leaves_nothing_behind(self, bus, operator, prefix):
        bus.register("retired", [MADE], from_beginning=True)
        bus.register("retired", [], from_beginning=True)
        assert bus.groups() == []
        with pytest.raises(amqp.NotFound):
            operator.queue_declare(f"{prefix}.group.retired", passive=True)


class TestHistory:
    def test_a_late_group_misses_nothing_and_keeps_order_while_publishing_goes_on(self, url, bus):
        subjects = [f"subject-{number}" for number in range(5)]
        bus.publish([message(subject, number) for number in range(40) for subject in subjects])
        actors = [run("publish", url, MADE, subject, "300") for subject in ("x", "y")]
        assert [actor.stdout.readline() for actor in actors] == ["x:0\n", "y:0\n"]
        bus.register("late", [MADE], from_beginning=True)
        subscription = subscribed(bus, "late")
        found: list[str] = []
        for actor in actors:
            while actor.poll() is None:
                found += _read(subscription)
            actor.communicate()
        while lags(bus) != [0]:
            found += _read(subscription)
            subscription.flush()
        once = list(dict.fromkeys(found))
        for subject, count in [*((subject, 40) for subject in subjects), ("x", 300), ("y", 300)]:
            mine = [body for body in once if body.startswith(f"{subject}:")]
            assert mine == [f"{subject}:{number}" for number in range(count)]

    def test_a_reader_goes_on_in_the_history_where_it_had_acknowledged(self, bus):
        bus.publish([message("a", number) for number in range(10)])
        bus.register("late", [MADE], from_beginning=True)
        first = subscribed(bus, "late")
        first.ack(take(first, 4)[-1].position)
        assert lags(bus)[0] >= 10
        first.close()
        assert taken(subscribed(bus, "late"), 6) == [f"a:{number}" for number in range(4, 10)]

    def test_foreign_events_of_the_history_are_passed_over_however_many_they_are(self, url):
        bus = open_bus(f"{url}&prefetch=20")
        bus.publish([message("a", number, type_=SOLD) for number in range(200)])
        bus.publish([message("a", 200)])
        bus.register("late", [MADE], from_beginning=True)
        subscription = subscribed(bus, "late")
        (delivery,) = take(subscription, 1)
        assert delivery.message.body == "a:200"
        subscription.ack(delivery.position)
        deadline = clock.monotonic() + 20
        while lags(bus) != [0]:
            assert clock.monotonic() < deadline
            assert subscription.fetch(10) == []
            subscription.flush()
        bus.close()

    def test_looking_into_the_history_leaves_no_warnings(self, bus, caplog):
        bus.publish([message("a", number) for number in range(500)])
        bus.register("late", [MADE], from_beginning=True)
        assert lags(bus)[0] >= 1
        assert [record for record in caplog.records if record.name.startswith("amqp")] == []

    def test_a_group_that_wants_no_history_gets_none(self, bus):
        bus.publish([message("a", 1)])
        bus.register("fresh", [MADE], from_beginning=False)
        assert lags(bus) == [0]


class TestSettings:
    def test_a_server_that_is_as_it_should_be_raises_no_doubts(self, bus):
        bus.register("readers", [MADE], from_beginning=True)
        assert bus.doubts() == []

    def test_a_queue_of_another_kind_is_a_doubt(self, bus, operator, prefix):
        operator.queue_declare(f"{prefix}.group.old", durable=True, auto_delete=False)
        bus.register("old", [MADE], from_beginning=True)
        (doubt,) = bus.doubts()
        assert f"inequivalent arg 'x-dead-letter-exchange' for queue '{prefix}.group.old'" in doubt

    @pytest.mark.parametrize(
        ("url", "fault"),
        [
            ("amqp:///", "names no server"),
            ("amqp://host/?prefetch=0", "prefetch='0' is no usable number"),
            ("amqp://host/?prefix=a%20b", "cannot begin a queue's name"),
            ("amqp://host/?history_age=soon", "history_age='soon' is no age"),
            ("amqp://host/?speed=1", "the option 'speed' is unknown"),
            ("amqp://host/?ssl_ca_certs=/ca.pem", "certificates belong to amqps://"),
        ],
    )
    def test_what_is_wrong_with_a_url_is_said(self, url, fault):
        with pytest.raises(ConfigurationError, match=re.escape(fault)):
            open_bus(url)

    def test_a_server_that_refuses_the_credentials_is_unavailable(self, server):
        bus = open_bus(f"amqp://guest:wrong@127.0.0.1:{server.port}/")
        started = clock.monotonic()
        with pytest.raises(BusUnavailable) as error:
            bus.publish([message("a", 1)])
        assert "wrong" not in str(error.value)
        assert clock.monotonic() - started < 15


def _publish_again_and_again(bus):
    for number in range(200):
        bus.publish([message("a", number)])


def _read(subscription):
    deliveries = subscription.fetch(100)
    if deliveries:
        subscription.ack(deliveries[-1].position)
    return [delivery.message.body for delivery in deliveries]
