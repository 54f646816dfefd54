"""Keys under processes that die at every point, and under two that race."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bandstand.lifecycle.crashpoints import EXIT_STATUS, crash_point_names

pytestmark = pytest.mark.database
ROOT = Path(__file__).parents[2]

# What others find, whether a repeated create is a repeat (or refused), and the seats after it.
AFTER = {
    "participant.create.claimed": ("absent", 0, [False, 1]),
    "participant.create.applied": ("absent", 0, [False, 1]),
    "participant.create.committed": ("applied", 1, [True, 1]),
    "participant.cancel.undone": ("applied", 1, [True, 1]),
    "participant.cancel.committed": ("cancelled", 0, ["refused", 0]),
}


def told(folder: Path, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.participant.processes", str(folder), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_death_leaves_key_and_effect_together_or_neither(tmp_path: Path) -> None:
    found = told(tmp_path, "die", *AFTER)
    assert found == {
        point: {
            "exit": EXIT_STATUS,
            "state": state,
            "seats": seats,
            "repeated": repeated,
            "cancelled": 0,
            "late": ["refused", 0],
        }
        for point, (state, seats, repeated) in AFTER.items()
    }


def test_every_crash_point_is_among_them(db: None) -> None:
    from bandstand.sagas.participant import keyed

    assert keyed.create
    assert {name for name in crash_point_names() if name.startswith("participant.")} == set(AFTER)


def test_two_processes_that_ask_at_once_leave_one_effect_or_none(tmp_path: Path) -> None:
    rounds = 30
    found = told(tmp_path, "race", str(rounds))
    created = [each for key, each in found.items() if key.startswith("created")]
    buried = [each for key, each in found.items() if key.startswith("buried")]
    assert len(created) == len(buried) == rounds
    assert all((each["state"], each["seats"]) == ("applied", 1) for each in created)
    assert all(sorted(each["told"]) == [False, True] for each in created)  # one was the first, the other its repeat
    assert all((each["state"], each["seats"]) == ("cancelled", 0) for each in buried)
    # Either the create was first and the cancel found it, or it came late and was refused.
    assert set(Counter(tuple(each["told"]) for each in buried)) <= {(False, "applied"), ("refused", "absent")}
