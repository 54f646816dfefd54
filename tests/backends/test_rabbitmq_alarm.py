"""A RabbitMQ server that is short of memory: publishing is refused at once, and what would relieve it goes on."""

import pytest

from bandstand.events.backends import BusUnavailable, open_bus
from bandstand.testing.engines import RunningEngine
from tests.backends.steps import MADE, again, lags, message, run, subscribed, take
from tests.servers import rabbitmqctl, skip_where_absent

skip_where_absent("rabbitmq")


@pytest.fixture
def server(tmp_path):
    with RunningEngine("rabbitmq", tmp_path) as server:
        yield server


@pytest.fixture
def bus(server):
    bus = open_bus(server.url)
    yield bus
    bus.close()


def test_a_server_short_of_memory_is_reported_at_once_and_its_readers_go_on(server, bus, tmp_path):
    bus.register("readers", [MADE], from_beginning=True)
    bus.register("others", [MADE], from_beginning=True)
    bus.publish([message("a", number) for number in range(100)])
    subscription = subscribed(bus, "readers")
    take(subscription, 10)
    elsewhere = run("hold", server.url, "others", "1")
    elsewhere.stdout.readline()
    rabbitmqctl(tmp_path, "set_vm_memory_high_watermark", "0.00001")
    for attempt in (lambda: bus.publish([message("a", 100)]), bus.doubts):
        with pytest.raises(BusUnavailable, match="short of memory"):
            attempt()
    operator = open_bus(server.url)
    for turn in range(3):
        assert len(lags(operator)) == 2  # the readers are asked, and may not be able to answer
        deliveries = take(subscription, 10)
        subscription.ack(deliveries[-1].position)
        subscription.flush()
        assert 80 - 10 * turn <= max(lags(bus))  # an event that was not accepted may have been stored
    rabbitmqctl(tmp_path, "set_vm_memory_high_watermark", "absolute", "512MB")
    assert again(lambda: bus.publish([message("a", 101)]).accepted)
    elsewhere.communicate()
    operator.close()
