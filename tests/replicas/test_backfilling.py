"""Rows from before the replica was: out of history, and out of the owner's API while events arrive."""

import io
import json

import pytest
from django.core.management import call_command
from django.db import connections

from bandstand.errors import Conflict, NotFound
from bandstand.events import registry
from bandstand.events.models import InboxRow
from bandstand.events.operations.output import Error
from bandstand.replicas import backfilling, backfills, operations
from bandstand.replicas.consuming import register
from bandstand.replicas.declaration import declaration
from bandstand.replicas.models import Mark
from tests.replicas.test_keeping import arrive, shown
from tests.replicas.world import City, city_id, row, state, told


@pytest.fixture(autouse=True)
def _no_owner():
    known = dict(backfilling._rows)
    yield
    backfilling._rows.clear()
    backfilling._rows.update(known)


@pytest.fixture
def named(monkeypatch):
    """Let operations find the replica, which lies in a database of its own under PostgreSQL."""
    monkeypatch.setattr(operations, "replicas", lambda: [declaration(City)])


def replicas(*arguments):
    out = io.StringIO()
    call_command("replicas", *arguments, stdout=out)
    return out.getvalue()


def greeting(seen):
    """Another consumer of the same service."""

    class Founded(registry.Event, name="atlas.city_founded.v1"):
        name: str

    registry.consumer(Founded, name="greet")(lambda event, _: seen.append(event.name))


def plain(stage):
    """The table, to be damaged."""
    return connections[stage.config.database].cursor()


def test_history_fills_a_replica_that_is_new(stage, named):
    greeting([])
    arrive(stage, *[told("founded", key, 1, **state(key)) for key in "abc"], told("razed", "a", 2))
    stage._loop._leave()  # acknowledged: the bus does not bring them again
    stage.restart()
    with pytest.raises(NotFound, match=r"this service has: project\.city"):
        operations.named("river")
    register(declaration(City))
    arrive(stage, told("changed", "b", 3, **state("B")))
    assert shown(stage) == {"B": 0}
    assert "replayed; 5 events were read" in replicas("backfill", "city")
    assert shown(stage) == {"B": 0, "c": 0}


def test_a_damaged_replica_is_built_again_from_zero(stage, cities, named):
    arrive(stage, *[told("founded", key, 1, **state(key, population=3)) for key in "abc"], told("razed", "a", 2))
    before, marks = shown(stage), Mark.objects.using(stage.config.database).count()
    with plain(stage) as cursor:
        cursor.execute("UPDATE project_city SET name = 'x', population = 9")
        cursor.execute("UPDATE bandstand_replicas_mark SET sequence = 1000000")
    replicas("rebuild", "project.City", "--yes")
    assert shown(stage) == before
    assert Mark.objects.using(stage.config.database).count() == marks


def test_events_that_arrive_while_the_owner_is_asked_win(stage, cities, named):
    arrive(stage, told("founded", "old", 1, **state("old")), told("founded", "gone", 2, **state("gone")))

    @backfills(City)
    def every_city():
        pages = [row("old", "old"), row("gone", "gone"), row("new", "new")]  # read by the owner before what follows
        arrive(stage, told("changed", "old", 3, **state("newest")), told("razed", "gone", 4))
        yield from pages
        arrive(stage, told("changed", "new", 5, **state("newer")))

    assert "were written" in replicas("backfill", "city")
    assert shown(stage) == {"newest": 0, "newer": 0}


def test_asking_the_owner_heals_rows_and_is_harmless_twice(stage, cities, named):
    arrive(stage, told("founded", "a", 7, **state("Paris", population=2)), told("founded", "b", 8, **state("Nice")))
    with plain(stage) as cursor:
        cursor.execute("UPDATE project_city SET name = 'x' WHERE name = 'Paris'")
        cursor.execute("DELETE FROM project_city WHERE name = 'Nice'")
    backfills(City)(lambda: [row("a", "Paris", 2), row("b", "Nice")])
    with pytest.raises(Error, match="differs"):
        replicas("verify", "city", "--json")
    assert (
        replicas("backfill", "city")
        == replicas("backfill", "city")
        == "2 rows were written as their owner shows them\n"
    )
    assert json.loads(replicas("verify", "city", "--json")) == {"same": 2, "missing": 0, "different": 0, "surplus": 0}
    arrive(stage, told("changed", "a", 6, **state("Lutetia")))
    assert shown(stage)["Paris"] == 2, "the row keeps the sequence it stands at"


def test_the_owner_is_not_asked_before_events_arrive(stage, cities, named):
    backfills(City)(lambda: [row("a", "Paris")])
    with pytest.raises(Conflict, match="does not consume events yet"):
        operations.fill_from_owner(cities)
    assert shown(stage) == {}


def test_an_owner_that_nobody_can_ask_is_named(stage, cities, named):
    with pytest.raises(Error, match=r"@backfills\(City\)"):
        replicas("verify", "city")


def test_the_list_says_how_each_replica_stands(stage, cities, named):
    assert json.loads(replicas("list", "--json"))[0]["applied_at"] is None
    arrive(stage, told("founded", "a", 1, **state("Paris")), told("razed", "b", 2))
    (facts,) = json.loads(replicas("list", "--json"))
    assert facts.pop("applied_at")
    assert facts.pop("lag") is not None, "the bus may not know yet what was acknowledged"
    assert facts == {"name": "project.city", "rows": 1, "tombstones": 1, "waiting": 0, "dead": 0}
    assert "project.city" in replicas("list")


def test_a_replica_and_a_consumer_of_the_same_event_do_not_know_each_other(stage, cities):
    seen = []
    greeting(seen)
    arrive(stage, told("founded", "a", 1, **state("Paris")))
    assert (seen, shown(stage)) == (["Paris"], {"Paris": 0})
    assert InboxRow.objects.using(stage.config.database).count() == 2
    assert City.objects.using(stage.config.database).get().pk == city_id("a")
