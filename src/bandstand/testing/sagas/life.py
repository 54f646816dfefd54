"""The life of a process under test: it dies at one crash point, once, and the dead do nothing any more."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

from django.db import connection

from bandstand.lifecycle.crashpoints import EXIT_STATUS, watched_crash_points

__all__ = ["Died", "Life", "Moment", "exit_at_once", "raise_died"]

_LAST_WORDS = ("ROLLBACK",)
"""What the database does by itself when a process is gone."""


class Died(BaseException):
    """The process under test is dead; no `except Exception` holds it up."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The *hit*-th passage of a crash point."""

    point: str
    hit: int = 1

    def __str__(self) -> str:
        return f"{self.point}#{self.hit}"


def raise_died(point: str) -> NoReturn:
    """Die within this process: transactions are rolled back on the way up."""
    raise Died(point)


def exit_at_once(_: str) -> NoReturn:
    """Die for good, as by `kill -9`."""
    os._exit(EXIT_STATUS)


class Life:
    """Notes the crash points that are passed, and ends at *death*.

    Death within a process is an exception on its way up through `finally` and `__exit__`: what they still try (a
    statement other than a rollback, a call, another crash point) ends with the same exception.
    """

    def __init__(self, death: Moment | None = None, *, die: Callable[[str], NoReturn] = raise_died) -> None:
        self.trace: list[str] = []
        self.is_dead = False
        self.deaths = 0
        self._death, self._die = death, die
        self._passages: Counter[str] = Counter()

    def passed(self, point: str) -> None:
        """Hear of a passage."""
        self.must_live()
        self.trace.append(point)
        self._passages[point] += 1
        death = self._death
        if death is not None and death.point == point and death.hit == self._passages[point]:
            self._death, self.is_dead = None, True
            self.deaths += 1
            self._die(point)

    def die_at(self, death: Moment) -> None:
        """Die there, passages counted from now on."""
        self._death = Moment(death.point, death.hit + self._passages[death.point])

    def must_live(self) -> None:
        """Raise Died when the process is dead."""
        if self.is_dead:
            raise Died

    def succeeded(self) -> None:
        """Another process lives from now on."""
        self.is_dead = False

    @contextmanager
    def lived(self) -> Iterator[None]:
        """Let this be the life of the process for the block."""
        with watched_crash_points(self.passed), connection.execute_wrapper(self._execute):
            yield

    def _execute(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if not sql.startswith(_LAST_WORDS):
            self.must_live()
        return execute(sql, *rest)
