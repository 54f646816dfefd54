"""The judge finds what is planted: else a verdict without faults would say nothing."""

import json
import sqlite3
from contextlib import closing

import pytest

from tests.trials.judging import judge
from tests.trials.scene import MIRROR, SHOP, Scene

_TABLES = {
    SHOP: [
        "CREATE TABLE fact (number INTEGER PRIMARY KEY, subject TEXT)",
        "CREATE TABLE bandstand_events_outbox (id INTEGER)",
        "INSERT INTO fact VALUES (1, 'a'), (2, 'a'), (3, 'b'), (5, 'b')",
    ],
    MIRROR: [
        "CREATE TABLE effect (id INTEGER PRIMARY KEY AUTOINCREMENT, number INTEGER, subject TEXT)",
        "CREATE TABLE bandstand_events_dead_letter (envelope TEXT)",
        "INSERT INTO effect (number, subject) VALUES (1, 'a'), (2, 'a'), (3, 'b')",
    ],
}
_BURIED = "INSERT INTO bandstand_events_dead_letter VALUES ('{}')"


@pytest.fixture
def scene(tmp_path) -> Scene:
    """Four facts, all applied in order but 5, which is poisoned and dead."""
    found = Scene(
        folder=str(tmp_path),
        bus_url="",
        databases={service: f"sqlite:///{tmp_path}/{service}.sqlite3" for service in _TABLES},
        poison_every=10,
    )
    for service, statements in _TABLES.items():
        for statement in statements:
            change(found, service, statement)
    change(found, MIRROR, buried(5))
    return found


def change(scene: Scene, service: str, statement: str) -> None:
    path = scene.databases[service].removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def buried(number: int) -> str:
    return _BURIED.format(json.dumps({"data": {"number": number}}))


def test_an_orderly_end_has_no_faults(scene):
    assert judge(scene).faults == {}
    assert judge(scene).committed == 4


@pytest.mark.parametrize(
    ("service", "statement", "faults"),
    [
        (MIRROR, "DELETE FROM effect WHERE number = 2", {"lost": 1}),
        (MIRROR, "INSERT INTO effect (number, subject) VALUES (9, 'a')", {"phantom": 1}),
        (MIRROR, "INSERT INTO effect (number, subject) VALUES (3, 'b')", {"twice": 1}),
        (MIRROR, "UPDATE effect SET id = 0 WHERE number = 2", {"disordered": 1}),
        (MIRROR, "DELETE FROM bandstand_events_dead_letter", {"lost": 1, "not_dead": 1}),
        (MIRROR, buried(1), {"wrongly_dead": 1}),
        (MIRROR, buried(5), {"wrongly_dead": 1}),
        (MIRROR, buried(9), {"phantom": 1, "wrongly_dead": 1}),
        (SHOP, "INSERT INTO bandstand_events_outbox VALUES (7)", {"undelivered": 1}),
    ],
)
def test_what_is_planted_is_found(scene, service, statement, faults):
    change(scene, service, statement)
    assert judge(scene).faults == faults
