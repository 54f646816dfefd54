"""A crash at each named point of relay and consumer loop: random kills hit windows of microseconds by luck only."""

from collections.abc import Iterator
from itertools import count

import pytest

from bandstand.lifecycle.crashpoints import EXIT_STATUS
from tests.trials.campaign import Plan, Stage, staged
from tests.trials.judging import judge
from tests.trials.scene import MIRROR, SHOP, last_number

_EACH = last_number(18)
_rounds = count(1)

POINTS = [(SHOP, f"outbox.{point}", "relay") for point in ("before_publish", "after_publish", "after_mark")] + [
    (MIRROR, f"inbox.{point}", "consumers") for point in ("before_apply", "after_apply", "after_commit", "after_ack")
]


@pytest.fixture(scope="module")
def stage(tmp_path_factory) -> Iterator[Stage]:
    with staged(Plan(settings={"relay_lease": 0.5}), tmp_path_factory.mktemp("crashes")) as found:
        yield found


@pytest.mark.parametrize(("service", "point", "loop"), POINTS, ids=[point for _, point, _ in POINTS])
def test_a_crash_there_breaks_no_promise(stage, service, point, loop):
    stage.wait_for(stage.start(SHOP, "publish", until=_EACH * next(_rounds)))
    dying = stage.start(service, "dying_loop", name=loop, point=point)
    helper = stage.loop("relay") if service == MIRROR else None
    assert stage.until(lambda: dying.status() is not None)
    assert dying.status() == EXIT_STATUS
    survivors = [helper or stage.loop("relay"), stage.loop("consumers")]
    assert stage.until(stage.is_settled)
    assert [actor.stop() for actor in survivors] == [0, 0]
    assert judge(stage.scene).faults == {}
