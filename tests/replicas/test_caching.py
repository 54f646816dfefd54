"""No cached value is seen that was computed before an event that invalidates it was applied."""

import threading
from datetime import timedelta

import pytest
from django.core.cache import caches
from django.db import connections, transaction
from django.test import override_settings

from bandstand.database.statements import insert
from bandstand.events import Event
from bandstand.events.models import WaitingRow
from bandstand.events.registry import consumers
from bandstand.replicas import cached, caching, invalidated_by
from bandstand.replicas.checks import check_caches
from bandstand.testing.engines import RunningEngine
from tests.replicas.test_keeping import arrive
from tests.replicas.world import City, city_id, row, state, told


class CityChanged(Event, name="atlas.city_changed.v1"):
    """What the cache needs of it."""

    city_id: str


def of_files(folder):
    return {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": str(folder / "cache")}


@pytest.fixture(scope="session")
def valkey(tmp_path_factory):
    """A server that processes share."""
    with RunningEngine("valkey", tmp_path_factory.mktemp("valkey")) as server:
        yield {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": server.url}


@pytest.fixture(params=["files", "valkey"])
def cache(request, tmp_path):
    """A cache that processes share, empty."""
    chosen = of_files(tmp_path) if request.param == "files" else request.getfixturevalue("valkey")
    with override_settings(CACHES={"default": chosen}):
        caches["default"].clear()
        yield caches["default"]


@pytest.fixture
def database(transactional_db):
    """SQLite only: the cache is what differs here."""
    return "default"


@pytest.fixture(autouse=True)
def _own_functions():
    known = dict(caching._functions)
    yield
    caching._functions.clear()
    caching._functions.update(known)


class Source:
    """What the cached function reads, and how often it did."""

    def __init__(self):
        self.value, self.reads, self.meanwhile = 0, 0, None

    def __call__(self, key):
        value, self.reads = self.value, self.reads + 1
        if self.meanwhile is not None:
            self.meanwhile, act = None, self.meanwhile
            act()
        return value


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def population(source, stage, cache):
    """The function, cached until atlas tells of a change."""

    @invalidated_by(CityChanged, key=lambda event: event.city_id)
    @cached(lifetime=timedelta(minutes=5))
    def population(key: str) -> int:
        """Count."""
        return source(key)

    return population


KEY = str(city_id("a"))


def change(stage, source, value):
    source.value = value
    arrive(stage, told("changed", "a", value, **state("a")))


def test_a_value_is_kept_until_the_event_arrives(stage, population, source):
    change(stage, source, 1)
    assert [population(KEY) for _ in range(3)] == [1, 1, 1]
    assert source.reads == 1
    change(stage, source, 2)
    assert [population(KEY) for _ in range(3)] == [2, 2, 2]
    assert source.reads == 2


def test_other_entries_stay(stage, population, source):
    other = str(city_id("b"))
    population(KEY), population(other)
    change(stage, source, 1)
    assert (population(other), population(KEY)) == (0, 1)


def test_none_and_odd_keys_are_kept_too(population, source):
    source.value = None
    assert [population("a b\n/ü") for _ in range(2)] == [None, None]
    assert source.reads == 1


def test_what_was_computed_before_the_event_is_not_seen_after_it(stage, population, source):
    source.meanwhile = lambda: change(stage, source, 1)
    assert population(KEY) == 0, "the caller began before"
    assert population(KEY) == 1


def test_until_the_commit_values_are_computed_and_not_kept(population, source):
    population(KEY)
    seen = []

    def read():
        seen.append(population(KEY))

    with transaction.atomic():
        population.invalidate([KEY])
        for _ in range(2):
            reader = threading.Thread(target=read)
            reader.start()
            reader.join()
        source.value = 1
    assert seen == [0, 0]
    assert [population(KEY), population(KEY), source.reads] == [1, 1, 4]


def test_within_a_transaction_nothing_is_kept(population, source):
    with transaction.atomic():
        population(KEY)
        transaction.set_rollback(True)
    source.value = 1
    assert population(KEY) == 1


def test_a_process_that_dies_before_lifting_its_bar_leaves_one_that_lapses(stage, population, source, monkeypatch):
    population(KEY)
    monkeypatch.setattr(caching, "_BARRED_FOR", timedelta(seconds=1))
    with transaction.atomic():
        population.invalidate([KEY])
        transaction.set_rollback(True)  # so that nothing runs after the commit
    source.value = 1

    def is_kept():
        before = source.reads
        assert population(KEY) == 1
        return source.reads == before

    assert not is_kept()
    stage.eventually(is_kept, seconds=30)


def test_the_bar_of_another_is_theirs_to_lift(population, source):
    with transaction.atomic():
        population.invalidate([KEY])
        beside = threading.Thread(target=lambda: population._cache.set(population._places(KEY)[0], "bar:theirs", 60))
        beside.start()
        beside.join()
    population(KEY)
    population(KEY)
    assert source.reads == 2, "still barred"


def test_a_cache_that_is_gone_makes_the_event_wait(stage, population, source):
    with override_settings(CACHES={"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}):
        change(stage, source, 1)
    assert "does not answer" in WaitingRow.objects.get().reason


def test_a_cache_of_one_process_is_refused(population):
    with override_settings(CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}):
        assert [message.id for message in check_caches()] == ["bandstand.E610"]
    assert check_caches() == []


def test_the_consumer_stands_where_it_is_declared(population):
    (found,) = [each for each in consumers() if each.name == "population.city_changed.v1"]
    assert found.handler.declared_at.startswith(__file__)


def test_readers_beside_a_writer_never_see_what_a_commit_has_replaced(stage, cache):
    """Readers compute slowly from the database; the floor is what was committed before they asked."""

    @cached(lifetime=timedelta(minutes=5))
    def stored(key: str) -> int:
        return City.objects.get(pk=key).population

    insert([row("a", "a", 0)])
    stopped, floor, behind, reads = threading.Event(), [0], [], [0]

    def read():
        while not stopped.is_set():
            expected = floor[0]
            found = stored(KEY)
            reads[0] += 1
            if found < expected:
                behind.append((expected, found))
        connections.close_all()

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(1, 41):
        with transaction.atomic():
            with connections["default"].cursor() as cursor:
                cursor.execute("UPDATE project_city SET population = %s", [number])
            stored.invalidate([KEY])
        floor[0] = number
        stage.eventually(lambda wanted=reads[0] + 5: reads[0] >= wanted, seconds=30)
    stopped.set()
    for reader in readers:
        reader.join(30)
    assert behind == []
    assert stored(KEY) == 40
