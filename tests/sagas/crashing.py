"""Kill a real process at each crash point of a saga, let another one take over, and report how it ended.

Run as `python -m tests.sagas.crashing FOLDER POINT…`. One warm process forks a victim and a successor per point: each
is a process of its own that really dies by `os._exit`, without paying for a start of Django each time.
"""

import json
import os
import shutil
import sys
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import django
from django.core.management import call_command
from django.db import connections

ORDER = "an-order"


def main(folder: Path, points: list[str]) -> None:
    """Print one JSON object: point -> facts."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.project.settings"
    django.setup()
    import_module("tests.sagas.stage")  # here, not in each child
    template = _make(folder)
    _use(template)
    call_command("migrate", verbosity=0)
    _leave()
    facts = {}
    for number, point in enumerate(points):
        home = folder / str(number)
        home.mkdir()
        _use(_make(home, template=template))
        exit_status = _in_child(lambda home=home, point=point: _victim(home, point))
        refusals = ["refuse"] if ".reserve.undo." in point else []
        _in_child(lambda home=home, refusals=refusals: _successor(home, *refusals))
        facts[point] = {"exit": exit_status, **json.loads((home / "facts.json").read_text())}
    sys.stdout.write(json.dumps(facts))


def _make(home: Path, *, template: str = "") -> str:
    """A database, empty or a copy of *template*: a file in *home*, or one on the server that the tests are run on."""
    if connections["default"].vendor == "sqlite":
        file = home / "service.sqlite3"
        if template:
            shutil.copy(template, file)
        return str(file)
    name = f"crash_{os.getpid()}_{home.name}"
    with connections["default"]._nodb_cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template or 'template1'}")
    return name


def _use(database: str) -> None:
    _leave()
    connections["default"].settings_dict["NAME"] = database


def _leave() -> None:
    """Keep no connection: a template must have none, and a child may not share its parent's."""
    connections["default"].close()
    if connections["default"].vendor == "postgresql":
        connections["default"].close_pool()


def _in_child(work) -> int:
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        work()
    except BaseException:  # noqa: BLE001 - a forked child must never return into its parent's code
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)


def _victim(home: Path, point: str) -> None:
    from tests.sagas.shop import Participants
    from tests.sagas.stage import Stage

    os.environ.update(BANDSTAND_CRASH_AT=point, BANDSTAND_DATA=str(home))
    with _held() as held:
        stage = Stage(held, Participants(home / "participants.sqlite3"))
        if ".reserve.undo." in point:
            stage.shop.order("capture.do", "refuse")
        if ".capture.undo." in point:
            stage.shop.order("capture.do", "always:lost_reply")
        stage.settle(stage.start(ORDER))


def _successor(home: Path, *refusals: str) -> None:
    from bandstand.sagas import SagaExecution
    from tests.sagas.shop import Participants, order_history
    from tests.sagas.stage import Stage

    last = SagaExecution.objects.first()
    with _held(last) as held:
        stage = Stage(held, Participants(home / "participants.sqlite3"))
        if last and last.step == "capture":  # the refusal died with the victim: the participant repeats it
            stage.shop.order("capture.do", *refusals)
        row = stage.settle(last.pk if last else stage.start(ORDER))
        participants = stage.shop.participants
        facts = {
            "status": row.status,
            "epoch": row.epoch,
            "history": order_history(ORDER),
            "charges": participants.applied("charged"),
            **{kind: participants.net(kind) for kind in ("held", "charged", "committed")},
        }
    (home / "facts.json").write_text(json.dumps(facts))


def _held(last=None):
    from bandstand.testing.clock import held_clock

    # The successor wakes up when the victim's lease has just run out.
    return held_clock(last.updated_at + timedelta(seconds=11)) if last else held_clock()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
