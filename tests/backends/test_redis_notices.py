"""Notices are lossy and say so; beside them the articles' RedisEventBus, whose events are such notices."""

import json
import threading
from datetime import timedelta

import pytest
import redis

from bandstand.config import ConfigurationError
from bandstand.events.backends import current_bus
from bandstand.events.notices import announce, listen
from bandstand.testing.engines import RunningEngine
from tests.backends.steps import MADE, message, subscribed, taken

SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RunningEngine("valkey", tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def bus(settings, server):
    settings.BANDSTAND = {**settings.BANDSTAND, "EVENTS": {"BUS_URL": server.url}}
    bus = current_bus()
    yield bus
    bus.close()


class RedisEventBus:
    """The articles' event bus: PUBLISH, and a subscriber's loop."""

    def __init__(self, url: str) -> None:
        self.client = redis.Redis.from_url(url, decode_responses=True)

    def publish(self, event_type: str, payload: dict[str, object]) -> None:
        self.client.publish(event_type, json.dumps(payload))

    def subscriber(self, event_type: str) -> redis.client.PubSub:
        pubsub = self.client.pubsub(ignore_subscribe_messages=True)
        pubsub.subscribe(event_type)
        pubsub.get_message(timeout=5)
        return pubsub


def test_a_subscriber_of_the_articles_bus_misses_what_is_published_while_it_restarts(server, bus):
    theirs = RedisEventBus(server.url)
    first = theirs.subscriber("things")
    theirs.publish("things", {"number": 1})
    assert first.get_message(timeout=5)["data"] == '{"number": 1}'
    first.close()
    theirs.publish("things", {"number": 2})
    second = theirs.subscriber("things")
    theirs.publish("things", {"number": 3})
    assert second.get_message(timeout=5)["data"] == '{"number": 3}'  # 2 is lost, and nobody was told
    second.close()
    theirs.client.close()

    bus.register("readers", [MADE], from_beginning=True)
    bus.publish([message("a", 1)])
    reader = subscribed(bus, "readers")
    (delivery,) = reader.fetch(10)
    reader.ack(delivery.position)
    reader.close()
    bus.publish([message("a", 2)])
    again = subscribed(bus, "readers")
    bus.publish([message("a", 3)])
    assert taken(again, 2) == ["a:2", "a:3"]
    again.close()


def test_a_notice_reaches_whoever_listens_and_nobody_else(bus):
    assert announce("prices.changed", {"product": 1}) == 0
    with listen("prices.changed") as first, listen("prices.changed") as second, listen("others") as other:
        assert announce("prices.changed", {"product": 2}) == 2
        assert first.next(5 * SECOND) == second.next(5 * SECOND) == {"product": 2}
        assert other.next(timedelta(milliseconds=20)) is None


def test_a_listener_waits_for_a_notice(bus):
    with listen("prices.changed") as listener:
        later = threading.Timer(0.05, announce, ("prices.changed", [1]))
        later.start()
        assert listener.next(30 * SECOND) == [1]
        later.join()


def test_an_error_of_the_listening_code_stays_what_it_is(bus):
    with pytest.raises(FileNotFoundError), listen("prices.changed"):
        raise FileNotFoundError


def test_notices_are_refused_where_the_bus_is_not_on_redis(settings, tmp_path):
    settings.BANDSTAND = {**settings.BANDSTAND, "EVENTS": {"BUS_URL": f"embedded:///{tmp_path}/bus.sqlite3"}}
    with pytest.raises(ConfigurationError, match="not on Redis; publish an event instead"):
        announce("prices.changed", 1)
    with pytest.raises(ConfigurationError), listen("prices.changed"):
        pass
