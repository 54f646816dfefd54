"""Who reads for a group on Redis, in which order, and what an interrupted or stale reader can do."""

import os
import signal
import subprocess
import sys
from uuid import uuid4

import pytest
import redis

from bandstand.events.backends import BusUnavailable, open_bus
from bandstand.testing.engines import RunningEngine
from tests.backends.steps import MADE, SOLD, again, bodies, message, subscribed, take, taken

OTHER = "store.thing_moved.v1"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RunningEngine("valkey", tmp_path_factory.mktemp("valkey")) as server:
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
def client(server):
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        yield client


def test_what_another_client_left_pending_comes_first_and_in_order(bus, client, prefix):
    bus.register("readers", [MADE], from_beginning=True)
    bus.publish([message("a", number, type_=SOLD if number == 1 else MADE) for number in range(6)])
    stream = f"{prefix}:events:shop"
    client.xreadgroup("readers", "somebody", {stream: ">"}, count=4)
    subscription = subscribed(bus, "readers")
    deliveries = take(subscription, 5)
    assert [each.message.body for each in deliveries] == ["a:0", "a:2", "a:3", "a:4", "a:5"]
    subscription.ack(deliveries[1].position)
    subscription.close()
    assert taken(subscribed(bus, "readers"), 3) == ["a:3", "a:4", "a:5"]
    assert client.xpending(stream, "readers")["pending"] == 1


def test_a_reader_that_stood_still_past_its_lease_stops_and_its_acknowledgement_moves_nothing(url, bus):
    bus.register("readers", [MADE], from_beginning=True)
    bus.publish([message("a", number) for number in range(4)])
    command = [sys.executable, "-m", "tests.backends.redis_actor", url, "readers"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as stale:
        assert stale.stdout.readline() == "holding\n"
        stale.send_signal(signal.SIGSTOP)
        subscription = again(lambda: bus.subscribe("readers"), seconds=10)
        stale.send_signal(signal.SIGCONT)
        said, _ = stale.communicate("go on\n", timeout=20)
    assert said.count("another process reads for 'readers' by now") == 2
    subscription.close()
    assert taken(subscribed(bus, "readers"), 4) == ["a:0", "a:1", "a:2", "a:3"]


def test_a_lease_is_renewed_for_as_long_as_its_reader_lives(url, bus, client, prefix):
    bus.register("readers", [MADE], from_beginning=True)
    subscription = subscribed(bus, "readers")
    key = f"{prefix}:lease:readers"
    client.pexpire(key, 1500)
    again(lambda: client.pttl(key) > 2000, seconds=5)
    assert bodies(subscription) == []


def test_a_busy_stream_does_not_keep_a_quiet_one_waiting(bus):
    bus.register("readers", [MADE, OTHER], from_beginning=True)
    bus.publish([message("a", number) for number in range(100)])
    bus.publish([message("b", number, type_=OTHER) for number in range(3)])
    subscription = subscribed(bus, "readers")
    first = bodies(subscription, 10)
    assert len(first) == 10
    assert first[:6] in (["a:0", "b:0", "a:1", "b:1", "a:2", "b:2"], ["b:0", "a:0", "b:1", "a:1", "b:2", "a:2"])
    assert first[6:] == ["a:3", "a:4", "a:5", "a:6"]
    assert [bodies(subscription, 1) for _ in range(2)] == [["a:7"], ["a:8"]]


def test_a_subscription_follows_the_types_of_its_group(url, bus):
    bus.register("readers", [MADE], from_beginning=True)
    subscription = subscribed(bus, "readers")
    bus.publish([message("a", 1), message("b", 2, type_=OTHER)])
    assert bodies(subscription) == ["a:1"]
    bus.register("readers", [MADE, OTHER], from_beginning=True)
    bus.publish([message("a", 3)])
    assert sorted(bodies(subscription)) == ["a:3", "b:2"]
    bus.register("readers", [], from_beginning=True)
    with pytest.raises(BusUnavailable, match="not registered"):
        bodies(subscription)


def test_entries_that_are_no_events_of_ours_are_passed_over(bus, client, prefix):
    bus.register("readers", [MADE], from_beginning=True)
    client.xadd(f"{prefix}:events:shop", {"anything": b"\xff"})
    bus.publish([message("a", 1)])
    client.xadd(f"{prefix}:events:shop", {"type": MADE, "body": b"\xff"})
    assert [each.message.body for each in take(subscribed(bus, "readers"), 2)] == ["a:1", "\ufffd"]


def test_many_foreign_events_are_passed_over_in_one_fetch(bus):
    bus.register("readers", [SOLD], from_beginning=True)
    bus.publish([message("a", number) for number in range(500)])
    bus.publish([message("a", 500, type_=SOLD)])
    assert bodies(subscribed(bus, "readers"), 10) == ["a:500"]


def test_a_deleted_stream_or_group_is_read_again_from_its_beginning(bus, client, prefix):
    bus.register("readers", [MADE], from_beginning=False)
    client.delete(f"{prefix}:events:shop")
    bus.publish([message("a", 1)])
    assert bodies(subscribed(bus, "readers")) == ["a:1"]


@pytest.mark.parametrize("is_published_again", [False, True])
def test_an_acknowledgement_in_a_deleted_stream_does_not_count_as_done(bus, client, prefix, is_published_again):
    bus.register("readers", [MADE], from_beginning=True)
    bus.publish([message("a", 1)])
    subscription = subscribed(bus, "readers")
    (delivery,) = take(subscription, 1)
    subscription.ack(delivery.position)
    client.delete(f"{prefix}:events:shop")
    if is_published_again:
        bus.publish([message("a", 2)])
    with pytest.raises(BusUnavailable):
        subscription.flush()
    assert subscription.unflushed
    with pytest.raises(BusUnavailable):
        subscription.close()
    bus.register("readers", [MADE], from_beginning=True)
    bus.publish([message("a", 3)])
    expected = ["a:2", "a:3"] if is_published_again else ["a:3"]
    assert taken(subscribed(bus, "readers"), len(expected)) == expected


def test_a_closed_bus_gives_its_leases_back_and_opens_anew(url, bus):
    bus.register("readers", [MADE], from_beginning=True)
    first = subscribed(bus, "readers")
    bus.close()
    with pytest.raises(BusUnavailable, match="closed"):
        first.fetch(1)
    bus.publish([message("a", 1)])
    other = open_bus(url)
    assert bodies(subscribed(other, "readers")) == ["a:1"]
    other.close()
