"""What the Redis bus asks of its server, what it leaves on it, and what it costs while nothing happens."""

import logging
import resource
import socket
import sys
from datetime import timedelta
from uuid import uuid4

import pytest
import redis

from bandstand import clock
from bandstand.config import ConfigurationError
from bandstand.engines.ports import free_port
from bandstand.events.backends import BusUnavailable, open_bus
from bandstand.events.checks import check_bus_server
from bandstand.testing.engines import RunningEngine
from tests.backends.redis_servers import installed_server
from tests.backends.steps import MADE, again, bodies, lags, message, subscribed, take, taken, waits

OTHER = "store.thing_moved.v1"
SECOND = timedelta(seconds=1)


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


@pytest.fixture
def of_bus(settings):
    def use(url: str) -> None:
        settings.BANDSTAND = {**settings.BANDSTAND, "EVENTS": {"BUS_URL": url}}

    return use


@pytest.fixture
def unsafe(client):
    client.config_set("appendfsync", "everysec")
    yield
    client.config_set("appendfsync", "always")


def test_a_server_that_writes_each_event_down_raises_no_doubts(url, of_bus):
    of_bus(url)
    assert check_bus_server() == []


def test_a_server_that_syncs_once_a_second_is_warned_of(url, of_bus, unsafe):
    of_bus(url)
    (warning,) = check_bus_server()
    assert warning.id == "bandstand.W206"
    assert "appendfsync is everysec, not always" in warning.msg


def test_a_server_that_cannot_be_reached_is_warned_of(of_bus):
    of_bus(f"redis://127.0.0.1:{free_port()}/0")
    (warning,) = check_bus_server()
    assert warning.id == "bandstand.W207"


def test_an_unsafe_server_is_named_in_the_log_once(bus, unsafe, caplog):
    with caplog.at_level(logging.WARNING):
        bus.publish([message("a", 1)])
        bus.publish([message("a", 2)])
    assert [record.message for record in caplog.records] == ["bus.unsafe_server"]


def test_redis_itself_serves_as_well(tmp_path):
    durable = ("--appendonly", "yes", "--appendfsync", "always")
    with installed_server("redis-server", tmp_path, *durable) as url:
        bus = open_bus(url)
        bus.register("readers", [MADE], from_beginning=True)
        waiter = bus.waiter("readers")
        bus.publish([message("a", number) for number in range(3)])
        waiter.wait(30 * SECOND)
        subscription = subscribed(bus, "readers")
        deliveries = take(subscription, 3)
        subscription.ack(deliveries[1].position)
        subscription.close()
        assert lags(bus) == [1]
        assert bus.trim(timedelta(0)) == 2
        assert bus.doubts() == []
        waiter.close()
        bus.close()


def test_a_stopped_group_holds_only_the_streams_it_has_not_read(bus):
    bus.register("stopped", [MADE], from_beginning=True)
    bus.register("running", [MADE, OTHER], from_beginning=True)
    bus.publish([message("a", number) for number in range(50)])
    bus.publish([message("b", number, type_=OTHER) for number in range(50)])
    stopped = subscribed(bus, "stopped")
    stopped.ack(take(stopped, 50)[9].position)
    stopped.close()
    running = subscribed(bus, "running")
    running.ack(take(running, 100)[-1].position)
    running.close()
    assert bus.trim(timedelta(0)) == 10 + 50
    assert taken(subscribed(bus, "stopped"), 40) == [f"a:{number}" for number in range(10, 50)]
    assert sorted((each.name, each.lag) for each in bus.groups()) == [("running", 0), ("stopped", 40)]


def test_pending_entries_of_other_clients_are_not_trimmed(bus, client, prefix):
    bus.register("readers", [MADE], from_beginning=True)
    bus.publish([message("a", number) for number in range(5)])
    client.xreadgroup("readers", "somebody", {f"{prefix}:events:shop": ">"}, count=3)
    client.xack(f"{prefix}:events:shop", "readers", client.xrange(f"{prefix}:events:shop", count=1)[0][0])
    assert lags(bus) == [4]
    assert bus.trim(timedelta(0)) == 1


def test_many_events_are_trimmed_in_bounded_steps(bus):
    for _ in range(12):
        bus.publish([message("a", number) for number in range(1000)])
    first = bus.trim(timedelta(0))
    assert first <= 10_000
    assert first + bus.trim(timedelta(0)) == 12_000


def test_lag_is_counted_where_the_server_no_longer_knows_it(bus, client, prefix):
    bus.register("readers", [MADE], from_beginning=True)
    bus.publish([message("a", number) for number in range(1500)])
    stream = f"{prefix}:events:shop"
    client.xdel(stream, client.xrange(stream, count=700)[-1][0])
    assert client.xinfo_groups(stream)[0]["lag"] is None
    assert lags(bus) == [1499]
    subscription = subscribed(bus, "readers")
    subscription.ack(take(subscription, 1499)[999].position)
    subscription.flush()
    assert lags(bus) == [499]


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def test_waiting_costs_next_to_nothing(bus):
    bus.register("readers", [MADE], from_beginning=True)
    subscription = subscribed(bus, "readers")
    waiter = bus.waiter("readers")
    before, started = cpu_seconds(), clock.monotonic()
    waiter.wait(2 * SECOND)
    assert clock.monotonic() - started > 1.9
    assert cpu_seconds() - before < 0.1
    waiter.close()
    subscription.close()


def test_waiting_for_a_server_that_is_down_is_no_busy_loop_and_ends_when_it_is_back(tmp_path):
    with RunningEngine("valkey", tmp_path) as server:
        bus = open_bus(server.url)
        bus.register("readers", [MADE], from_beginning=True)
        waiter = bus.waiter("readers")
        server.kill()
        before, started = cpu_seconds(), clock.monotonic()
        waiter.wait(SECOND)
        assert clock.monotonic() - started > 0.9
        assert cpu_seconds() - before < 0.2
        server.start()
        started = clock.monotonic()
        waiter.wait(30 * SECOND)
        assert clock.monotonic() - started < 10
        subscription = again(lambda: bus.subscribe("readers"))
        again(lambda: bus.publish([message("a", 1)]).accepted)
        waiter.wait(30 * SECOND)
        assert bodies(subscription) == ["a:1"]
        waiter.close()
        bus.close()


def test_a_waiter_can_be_made_and_woken_while_the_server_is_down():
    bus = open_bus(f"redis://127.0.0.1:{free_port()}/0")
    waiter = bus.waiter("readers")
    waiter.wake()
    started = clock.monotonic()
    waiter.wait(30 * SECOND)
    assert clock.monotonic() - started < 5
    waiter.close()
    bus.close()


def test_a_waiter_outlives_the_closing_of_its_bus(bus):
    bus.register("readers", [MADE], from_beginning=True)
    waiter = bus.waiter("readers")
    bus.close()
    bus.publish([message("a", 1)])
    waiter.wait(30 * SECOND)
    assert waits(waiter)
    waiter.close()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("redis://localhost/shop", "no number of a database"),
        ("redis://localhost/0?maxlen=5", "unknown options: maxlen"),
    ],
)
def test_a_url_that_cannot_be_meant_is_refused(url, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        open_bus(url)


def test_a_server_that_hangs_is_reported_within_seconds():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        bus = open_bus(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        started = clock.monotonic()
        with pytest.raises(BusUnavailable):
            bus.publish([message("a", 1)])
        assert clock.monotonic() - started < 12
        bus.close()


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'bandstand\[redis\]'"):
        open_bus("redis://localhost")
