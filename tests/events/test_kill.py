"""SIGKILL at any moment, in any role: nothing lost, nothing invented, nothing applied twice, order kept."""

import random

import pytest
from tests.events.theatre import Theatre

POINTS = [("shop", f"outbox.{point}", "relay") for point in ("before_publish", "after_publish", "after_mark")] + [
    ("mirror", f"inbox.{point}", "consumers") for point in ("before_apply", "after_apply", "after_commit", "after_ack")
]


@pytest.fixture
def theatre(tmp_path):
    found = Theatre(tmp_path)
    yield found
    found.close()


def test_random_kills_of_every_role_lose_and_double_nothing(theatre):
    dice = random.Random(20)
    roles = {
        "publisher": ("shop", "publish", "100000"),
        "relay": ("shop", "relay"),
        "consumers": ("mirror", "consumers"),
    }
    running = {role: theatre.start(*arguments) for role, arguments in roles.items()}
    theatre.wait_for(lambda: len(theatre.effects()) > 50)
    for _ in range(4):
        for role in dice.sample(sorted(roles), len(roles)):
            wanted = len(theatre.facts()) + dice.randint(1, 40)
            running[role].kill()
            running[role].wait()
            running[role] = theatre.start(*roles[role])
            theatre.wait_for(lambda wanted=wanted: len(theatre.facts()) >= wanted)
    for process in running.values():
        process.kill()
        process.wait()
    theatre.settle()
    theatre.audit()
    assert len(theatre.facts()) > 100


@pytest.mark.parametrize(("service", "point", "loop"), POINTS, ids=[point for _, point, _ in POINTS])
def test_a_crash_at_each_named_point_loses_and_doubles_nothing(theatre, service, point, loop):
    assert theatre.start("shop", "publish", "20").wait(15) == 0
    crash = {"BANDSTAND_CRASH_AT": point, "BANDSTAND_DATA": str(theatre.folder)}
    dying = theatre.start(service, loop, **crash)
    helper = theatre.start("shop", "relay") if service == "mirror" else None
    assert dying.wait(15) == 137
    assert list((theatre.folder / "crash").iterdir())
    if helper is not None:
        helper.stdin.close()
        helper.wait(15)
    theatre.settle()
    theatre.audit()
