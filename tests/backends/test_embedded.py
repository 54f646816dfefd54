"""The embedded bus passes the suite; and what is its own."""

import os
import resource
import socket
from datetime import timedelta

import pytest

from bandstand.config import ConfigurationError
from bandstand.events.backends import Bus, BusUnavailable, open_bus
from tests.backends.steps import MADE, bodies, message, run, subscribed
from tests.backends.suite import BusSuite, History, SingleReader, Trimming


@pytest.fixture
def url(tmp_path):
    return f"embedded:///{tmp_path}/bus.sqlite3"


class TestEmbeddedBus(BusSuite, SingleReader, History, Trimming):
    """One SQLite file."""


@pytest.fixture
def bus(url):
    bus = open_bus(url)
    yield bus
    bus.close()


def test_sockets_of_killed_processes_are_removed(url, bus: Bus, tmp_path):
    bus.register("readers", [MADE], from_beginning=True)
    actor = run("await", url, "readers")
    actor.stdout.readline()
    actor.kill()
    actor.communicate()
    folder = tmp_path / "bus.sqlite3.wake"
    assert list(folder.glob("readers@*.sock"))
    bus.publish([message("a", 1)])
    assert not list(folder.glob("readers@*.sock"))


def test_a_deep_folder_is_no_obstacle_to_sockets(tmp_path):
    deep = tmp_path / ("x" * 60) / ("y" * 60)
    deep.mkdir(parents=True)
    bus = open_bus(f"embedded:///{deep}/bus.sqlite3")
    bus.register("readers", [MADE], from_beginning=True)
    waiter = bus.waiter("readers")
    bus.publish([message("a", 1)])
    waiter.wait(timedelta(seconds=30))
    waiter.close()
    bus.close()


def test_a_full_queue_of_wake_ups_does_not_block_the_publisher(bus: Bus):
    bus.register("readers", [MADE], from_beginning=True)
    waiter = bus.waiter("readers")
    for number in range(2000):
        bus.publish([message("a", number)])
    waiter.wait(timedelta(seconds=30))
    waiter.close()


def test_waiting_costs_no_cpu(bus: Bus):
    waiter = bus.waiter("readers")
    before = resource.getrusage(resource.RUSAGE_THREAD)
    waiter.wait(timedelta(milliseconds=300))
    after = resource.getrusage(resource.RUSAGE_THREAD)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert used < 0.02
    waiter.close()


def test_an_unusable_file_is_reported_as_unavailable(tmp_path):
    (tmp_path / "bus.sqlite3").write_bytes(b"this is no database" * 100)
    bus = open_bus(f"embedded:///{tmp_path}/bus.sqlite3")
    with pytest.raises(BusUnavailable):
        bus.publish([message("a", 1)])
    bus.close()


def test_a_closed_bus_opens_anew(bus: Bus):
    bus.register("readers", [MADE], from_beginning=True)
    bus.close()
    bus.publish([message("a", 1)])
    assert bodies(subscribed(bus, "readers")) == ["a:1"]


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("amqp://", "names no server"),
        ("kafka://", "names no broker"),
        ("carrier-pigeon://roof", "'carrier-pigeon' is unknown"),
        ("", "not set"),
        ("embedded://relative.sqlite3", "no absolute path"),
    ],
)
def test_a_url_that_no_backend_serves_says_what_to_do(url, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        open_bus(url)


def test_group_names_cannot_leave_the_folder(bus: Bus):
    with pytest.raises(ValueError, match="no name of a group"):
        bus.register("../escape", [MADE], from_beginning=True)


def test_sockets_live_in_a_folder_only_the_owner_can_enter(bus: Bus, tmp_path):
    bus.waiter("readers").close()
    assert (tmp_path / "bus.sqlite3.wake").stat().st_mode & 0o077 == 0
    assert hasattr(socket, "AF_UNIX")
    assert os.name == "posix"
