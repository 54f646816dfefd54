"""A performance in processes of their own: one really dies, the next finds what it left in the database."""

import json
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import connections

from bandstand.testing.sagas.cast import Books
from bandstand.testing.sagas.judging import judged
from bandstand.testing.sagas.life import Life, Moment, exit_at_once
from bandstand.testing.sagas.rehearsal import Performance, Rehearsal, careless_of_power
from bandstand.testing.sagas.scenarios import Scenario
from bandstand.testing.sagas.stage import NotEnded

__all__ = ["play"]


def play(rehearsal: Rehearsal, scenario: Scenario, death: Moment, folder: Path) -> tuple[int, dict[str, Any]]:
    """Let one process die and another finish; returns the exit status of the first, and what the second has found.

    The database must be one that processes share: a file or a server.
    """
    books, facts = folder / "books.sqlite3", folder / "facts.json"

    def die() -> None:
        performance = Performance(rehearsal, scenario, Books(books), Life(death, die=exit_at_once))
        performance.empty()
        performance.run()

    def succeed() -> None:
        performance = Performance(rehearsal, scenario, Books(books), Life())
        stuck = []
        try:
            performance.run()
        except NotEnded as error:
            stuck.append(str(error))
        end, violations = judged(performance)
        facts.write_text(json.dumps({"end": end, "violations": [*stuck, *violations]}))

    status = _in_process(die)
    if _in_process(succeed):
        raise RuntimeError(f"the successor of the process that died at {death} has failed; see its traceback")
    found: dict[str, Any] = json.loads(facts.read_text())
    return status, found


def _in_process(work: Callable[[], None]) -> int:
    _leave_database()
    with warnings.catch_warnings():
        # Python warns of locks that other threads hold; the child uses none of theirs and never returns.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        with careless_of_power():
            work()
    except BaseException:  # noqa: BLE001 - a forked child must never return into its parent's code
        traceback.print_exc(file=sys.stderr)
        os._exit(1)
    os._exit(0)


def _leave_database() -> None:
    """Keep no connection: a child may not share its parent's."""
    for each in connections.all(initialized_only=True):
        each.close()
        if each.vendor == "postgresql" and hasattr(each, "close_pool"):
            each.close_pool()
