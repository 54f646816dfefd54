"""Counting what became of every fact, straight from the databases and by nothing that was under trial."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import psycopg

from tests.trials.scene import MIRROR, SHOP, Scene

__all__ = ["Verdict", "judge", "rows", "value"]

_SHOWN = 20
_DISORDER = """
    SELECT number FROM (
           SELECT number, lag(number) OVER (PARTITION BY subject ORDER BY id) AS before FROM effect) AS pair
     WHERE number < before"""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was found, as numbers of facts. All are empty where every promise was kept."""

    committed: int
    applied: int
    lost: list[int] = field(default_factory=list)
    """Committed, and neither applied nor a dead letter."""
    phantom: list[int] = field(default_factory=list)
    """Applied or a dead letter, and never committed."""
    twice: list[int] = field(default_factory=list)
    """Applied more than once."""
    disordered: list[int] = field(default_factory=list)
    """Applied after a later one of the same subject."""
    dead_letters: int = 0
    not_dead: list[int] = field(default_factory=list)
    """Poisoned, and no dead letter."""
    wrongly_dead: list[int] = field(default_factory=list)
    """A dead letter, and not poisoned; or one twice."""
    undelivered: int = 0
    """Events given up or left in the outbox."""

    @property
    def faults(self) -> dict[str, int]:
        """What was found, counted; empty is what everybody hopes for."""
        names = ("lost", "phantom", "twice", "disordered", "not_dead", "wrongly_dead")
        found = {name: len(getattr(self, name)) for name in names} | {"undelivered": self.undelivered}
        return {name: number for name, number in found.items() if number}

    def summary(self) -> dict[str, Any]:
        """The verdict as a document: numbers, and the first of what was found."""
        found = {name: value for name, value in vars(self).items() if not isinstance(value, list)}
        lists = {name: value for name, value in vars(self).items() if isinstance(value, list)}
        return {
            **found,
            **{name: len(value) for name, value in lists.items()},
            "first": {name: value[:_SHOWN] for name, value in lists.items() if value},
        }


def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Ask a database."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=30)) as connection:
            return connection.execute(statement).fetchall()
    with psycopg.connect(url.replace("postgres://", "postgresql://")) as connection:
        return connection.execute(statement).fetchall()


def value(url: str, statement: str) -> int:
    """Ask a database for one number."""
    ((found,),) = rows(url, statement)
    return int(found or 0)


def judge(scene: Scene) -> Verdict:
    """Hold what was applied against what was committed; one whole number in memory for each."""
    shop, mirror = scene.databases[SHOP], scene.databases[MIRROR]
    committed = set(_numbers(shop, "SELECT number FROM fact"))
    effects = Counter(_numbers(mirror, "SELECT number FROM effect"))
    letters = Counter(json.loads(body)["data"]["number"] for (body,) in _letters(mirror))
    poisoned = {number for number in committed if scene.is_poisoned(number)}
    return Verdict(
        committed=len(committed),
        applied=len(effects),
        lost=sorted(committed - effects.keys() - letters.keys()),
        phantom=sorted((effects.keys() | letters.keys()) - committed),
        twice=sorted(number for number, times in effects.items() if times > 1),
        disordered=sorted(set(_numbers(mirror, _DISORDER))),
        dead_letters=letters.total(),
        not_dead=sorted(poisoned - letters.keys()),
        wrongly_dead=sorted(number for number, times in letters.items() if number not in poisoned or times > 1),
        undelivered=value(shop, "SELECT count(*) FROM bandstand_events_outbox"),
    )


def _numbers(url: str, statement: str) -> Iterable[int]:
    return (number for (number,) in rows(url, statement))


def _letters(url: str) -> Iterable[tuple[str]]:
    return rows(url, "SELECT envelope FROM bandstand_events_dead_letter")
