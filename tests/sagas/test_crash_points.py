"""Every named crash point of the saga, in both directions, in processes that really die."""

import json
import subprocess
import sys

import pytest

from tests.sagas.shop import Checkout

POINTS = Checkout().crash_points()


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory):
    """What was left of each crash, by crash point; all of them in one go."""
    folder = tmp_path_factory.mktemp("crashes")
    command = [sys.executable, "-m", "tests.sagas.crashing", str(folder), *POINTS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.database
@pytest.mark.parametrize("point", POINTS)
def test_a_crash_here_changes_nothing_but_who_ends_the_saga(point, aftermath):
    facts = aftermath[point]
    assert facts["exit"] == 137
    if ".undo." in point:
        assert facts["status"] == ("compensated" if "reserve" in point else "cancelled")
        assert (facts["held"], facts["charged"], facts["committed"]) == (0, 0, 0)
        assert len(facts["history"]) == 1
    else:
        assert facts["status"] == "completed"
        assert (facts["held"], facts["charged"], facts["committed"], facts["charges"]) == (1, 1, 1, 1)
        assert facts["history"] == ["confirmed", "completed:"]


def test_every_step_has_its_points_in_each_direction_it_knows():
    assert len(POINTS) == 4 * (5 + 2)
    assert "saga.test_checkout.capture.undo.after_call" in POINTS
