"""Processes of their own on one database: some die where they are told to, some race for the same keys.

Run as `python -m tests.participant.processes FOLDER die POINT…` or `… FOLDER race KEYS`; prints JSON.
"""

import json
import multiprocessing
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import django
from django.core.management import call_command
from django.db import connections

Fork = multiprocessing.get_context("fork")


def main(folder: Path, what: str, *arguments: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.project.settings"
    django.setup()
    import_module("tests.participant.bookings")  # here, not in each child
    _make_database(folder)
    _make_tables()
    _leave()
    found = {point: _die(folder, point) for point in arguments} if what == "die" else _race(folder, int(arguments[0]))
    sys.stdout.write(json.dumps(found))


def _make_database(folder: Path) -> None:
    name = str(folder / "service.sqlite3")
    if connections["default"].vendor == "postgresql":
        name = f"participant_{os.getpid()}"
        with connections["default"]._nodb_cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
    _leave()
    connections["default"].settings_dict["NAME"] = name


def _make_tables() -> None:
    """Only those that are needed: a full migration takes longer than the tests."""
    from tests.project.models import Booking

    call_command("migrate", "bandstand_participant", verbosity=0)
    with connections["default"].schema_editor() as editor:
        editor.create_model(Booking)


def _leave() -> None:
    """Keep no connection: a child may not share its parent's."""
    connections["default"].close()
    if connections["default"].vendor == "postgresql":
        connections["default"].close_pool()


def _die(folder: Path, point: str) -> dict[str, Any]:
    """Let a process die at *point* between a create and a cancel, and others find out, repeat both and come late."""
    home = folder / point
    home.mkdir()
    key = f"{point}:step"
    victim = _started(home, "victim", lambda: _victim(home, point, key))
    victim.join()
    _started(home, "found", lambda: _look(key)).join()
    _started(home, "after", lambda: _repeat(key)).join()
    return {"exit": victim.exitcode, **_told(home, "found"), **_told(home, "after")}


def _victim(home: Path, point: str, key: str) -> None:
    from tests.participant.bookings import book, cancel_booking

    os.environ.update(BANDSTAND_CRASH_AT=point, BANDSTAND_DATA=str(home))
    book(key)
    cancel_booking(key)


def _look(key: str) -> dict[str, Any]:
    from bandstand.sagas.participant import query
    from tests.participant.bookings import seats

    return {"state": query("booking", key).state, "seats": seats(key)}


def _repeat(key: str) -> dict[str, Any]:
    from tests.participant.bookings import cancel_booking, seats

    repeated = [_attempt(key), seats(key)]
    cancel_booking(key)
    return {"repeated": repeated, "cancelled": seats(key), "late": [_attempt(key), seats(key)]}


def _attempt(key: str) -> Any:
    from bandstand.errors import Conflict
    from tests.participant.bookings import book

    try:
        return book(key).is_repeat
    except Conflict:
        return "refused"


def _race(folder: Path, number: int) -> dict[str, Any]:
    """Two processes ask for the same keys at the same moments: both create, or one creates and one cancels."""
    gate = Fork.Barrier(2)
    names = ("one", "other")
    racers = [_started(folder, name, lambda name=name: _run(gate, number, cancels=name == "other")) for name in names]
    for racer in racers:
        racer.join()
    told = [_told(folder, name) for name in names]
    _started(folder, "left", lambda: {key: _look(key) for key in told[0]}).join()
    left = _told(folder, "left")
    return {key: {**left[key], "told": [each[key] for each in told]} for key in left}


def _run(gate: Any, number: int, *, cancels: bool) -> dict[str, Any]:
    from tests.participant.bookings import cancel_booking

    told = {}
    for turn in range(number):
        created, buried = f"created:{turn:03}", f"buried:{turn:03}"
        gate.wait(60)
        told[created] = _attempt(created)
        gate.wait(60)
        if turn % 2 and not cancels:
            _look(buried)  # lets the cancel be first more often
        told[buried] = cancel_booking(buried).state if cancels else _attempt(buried)
    return told


def _started(home: Path, name: str, work: Callable[[], Any]) -> Any:
    def tell() -> None:
        (home / f"{name}.json").write_text(json.dumps(work()))
        _leave()

    process = Fork.Process(target=tell)
    process.start()
    return process


def _told(home: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home / f"{name}.json").read_text())
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
