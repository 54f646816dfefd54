"""Kafka's offsets in the group's own database: what is applied and where to read on are one commit."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from sqlite3 import connect
from uuid import uuid4

import pytest

from bandstand import clock
from bandstand.events.backends import Bus, BusUnavailable, Subscription, open_bus
from tests.backends.kafka_servers import TIMES, MockCluster
from tests.backends.sharing import SUBJECTS
from tests.backends.steps import MADE, SOLD, fetch_until, message, take, taken
from tests.events.theatre import Theatre

resuming = pytest.importorskip("bandstand.events.backends.kafka.resuming", reason="the extra kafka is not installed")


@pytest.fixture(scope="module")
def cluster() -> Iterator[MockCluster]:
    cluster = MockCluster()
    yield cluster
    cluster.close()


@pytest.fixture
def url(cluster):
    return f"kafka://{cluster.address}/?prefix=t{uuid4().hex}&partitions=4&{TIMES}"


@pytest.fixture
def bus(url) -> Iterator[Bus]:
    bus = open_bus(url)
    bus.register("readers", [MADE], from_beginning=True)
    yield bus
    bus.close()


def applied(subscription: Subscription, count: int) -> dict[str, int]:
    """Take so many deliveries, note them as done, and return the bookmarks that belong to them."""
    position = take(subscription, count)[-1].position
    found = dict(subscription.bookmarks(position))
    subscription.ack(position)
    return found


def test_a_group_reads_on_from_its_database_where_kafka_was_told_less(bus):
    bus.publish([message("a", number) for number in range(6)])
    first = bus.resume("readers", dict)
    (_, delivery, *_) = take(first, 4)
    kept = dict(first.bookmarks(delivery.position))
    first.close()  # nothing was acknowledged
    assert taken(bus.resume("readers", lambda: kept), 4) == ["a:2", "a:3", "a:4", "a:5"]


def test_a_group_reads_again_from_its_database_where_kafka_was_told_more(bus):
    bus.publish([message("a", number) for number in range(6)])
    first = bus.resume("readers", dict)
    backup = applied(first, 2)
    applied(first, 4)
    first.close()
    again = bus.resume("readers", lambda: backup)
    assert taken(again, 4) == ["a:2", "a:3", "a:4", "a:5"]
    again.ack(4)
    again.close()
    assert [report.lag for report in bus.groups()] == [0]


def test_a_database_that_keeps_nothing_yet_gets_all_that_the_group_may_have(bus):
    bus.publish([message("a", number) for number in range(2)])
    first = bus.resume("readers", dict)
    applied(first, 2)
    first.close()
    assert taken(bus.resume("readers", dict), 2) == ["a:0", "a:1"]


def test_a_late_group_that_begins_at_the_end_does_so_without_bookmarks(bus):
    bus.publish([message("a", 1)])
    bus.register("late", [MADE], from_beginning=False)
    bus.publish([message("a", 2)])
    assert taken(bus.resume("late", dict), 1) == ["a:2"]


def test_bookmarks_cover_each_partition_once_and_then_only_those_that_move(bus):
    bus.publish([message(subject, 0) for subject in SUBJECTS])
    subscription = bus.resume("readers", dict)
    first = applied(subscription, len(SUBJECTS))
    assert (len(first), sum(first.values())) == (4, len(SUBJECTS))
    bus.publish([message("a", 1)])
    moved = applied(subscription, 1)
    assert len(moved) == 1
    assert moved.items().isdisjoint(first.items())


def test_foreign_events_move_a_bookmark_with_the_next_event_of_ones_own(bus):
    bus.publish([message("a", 1, type_=SOLD), message("a", 2)])
    assert 2 in applied(bus.resume("readers", dict), 1).values()


def test_bookmarks_of_another_incarnation_of_the_topic_are_of_no_use(bus):
    bus.publish([message("a", number) for number in range(3)])
    first = bus.resume("readers", dict)
    kept = {name.partition("@")[0] + "@another": 2 for name in applied(first, 3)}
    first.close()
    assert taken(bus.resume("readers", lambda: kept), 3) == ["a:0", "a:1", "a:2"]


def test_bookmarks_that_cannot_be_read_stop_the_subscription(bus):
    def unreadable():
        raise BusUnavailable("the database is down")

    with pytest.raises(BusUnavailable, match="the database is down"):
        fetch_until(bus.resume("readers", unreadable), 1, seconds=10)


def test_a_reader_that_joins_begins_where_the_database_says_and_nothing_comes_twice(url, bus):
    kept: dict[str, int] = {}
    bus.publish([message(subject, 0) for subject in SUBJECTS])
    first = bus.resume("readers", lambda: dict(kept))
    kept.update(first.bookmarks(take(first, len(SUBJECTS))[-1].position))  # and Kafka is told nothing
    other = open_bus(url)
    second = other.resume("readers", lambda: dict(kept))
    found = {0: [], 1: []}
    deadline = clock.monotonic() + 30
    number = 0
    while not (found[0] and found[1]):
        assert clock.monotonic() < deadline, "one reader got nothing"
        number += 1
        bus.publish([message(subject, number) for subject in SUBJECTS])
        while sum(map(len, found.values())) < number * len(SUBJECTS):
            assert clock.monotonic() < deadline, "not everything was delivered"
            for who, reader in enumerate((first, second)):
                for delivery in reader.fetch(100):
                    found[who].append(delivery.message.body)
                    kept.update(reader.bookmarks(delivery.position))
    other.close()
    assert sorted([*found[0], *found[1]]) == sorted(
        f"{subject}:{each}" for each in range(1, number + 1) for subject in SUBJECTS
    )


@pytest.mark.parametrize(("position", "gaps"), [(4, [(4, 5)]), (5, []), (6, [])])
def test_what_the_topic_has_dropped_and_the_database_lacks_is_said_aloud(caplog, position, gaps):
    place = ("topic", 0)
    bookmarks = resuming.Bookmarks(
        lambda: {"topic/0@id": position}, incarnations={"topic": "id"}, oldest=lambda places: dict.fromkeys(places, 5)
    )
    starts = bookmarks.starts({place: None, ("topic", 1): None}, resuming.Registered(types=(MADE,), starts={}))
    assert starts == {place: position, ("topic", 1): 0}
    assert [(record.wanted, record.oldest) for record in caplog.records] == gaps


@pytest.fixture
def theatre(url, tmp_path) -> Iterator[Theatre]:
    theatre = Theatre(tmp_path, bus_url=url)
    yield theatre
    theatre.close()


def test_a_kill_between_the_two_commits_redelivers_nothing_that_is_in_the_database(theatre):
    assert theatre.start("shop", "publish", "20").wait(30) == 0
    relay = theatre.start("shop", "relay")
    crash = {"BANDSTAND_CRASH_AT": "inbox.after_commit", "BANDSTAND_DATA": str(theatre.folder)}
    assert theatre.start("mirror", "consumers", **crash).wait(60) == 137
    relay.stdin.close()
    assert relay.wait(30) == 0  # a killed one would publish its last batch again, and there only the inbox helps
    with closing(connect(theatre.folder / "mirror.sqlite3")) as mirror, mirror:
        assert mirror.execute("DELETE FROM bandstand_events_inbox").rowcount  # so that only the offset protects
    assert theatre.start("shop", "publish", "20").wait(30) == 0  # what follows in the same partitions
    theatre.settle(seconds=60)
    theatre.audit()


def test_a_database_restored_from_a_backup_reads_again_what_it_has_lost(theatre):
    mirror, backup = theatre.folder / "mirror.sqlite3", theatre.folder / "backup.sqlite3"
    assert theatre.start("shop", "publish", "20").wait(30) == 0
    theatre.settle(seconds=60)
    shutil.copy(mirror, backup)  # its processes have ended, so there is no write-ahead log beside it
    assert theatre.start("shop", "publish", "20").wait(30) == 0
    theatre.settle(seconds=60)
    for leftover in theatre.folder.glob("mirror.sqlite3*"):
        leftover.unlink()
    backup.rename(mirror)
    with closing(connect(mirror)) as connection, connection:
        assert connection.execute("DELETE FROM bandstand_events_inbox").rowcount  # it would also prevent doubles
    assert len(theatre.effects()) < len(theatre.facts())
    theatre.settle(seconds=60)
    theatre.audit()
