"""`bandstand sagas` finds the service of a saga by itself, and hands everything on to it."""

import json
from pathlib import Path
from typing import Any

import pytest

from bandstand.cli.options import Selection
from bandstand.cli.services import manage_one
from tests.fleet_unit.fleets import bandstand

ROOT = Path(__file__).parents[2]
_START = """
from bandstand.sagas import Saga, Approval, starting
class Errand(Saga):
    name = "errand"
    steps = [Approval("manager")]
    def begin(self, event): return event, {"who": event}
for who in ("ada", "eve"): starting.start(Errand, who)
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which orders has two sagas that this release does not know."""
    folder = tmp_path_factory.mktemp("fleet") / ".bandstand"
    selection = Selection(data_path=folder, manifest=ROOT / "fleet.toml")
    manage_one(selection, "orders", "migrate", "--verbosity=0")
    manage_one(selection, "orders", "shell", "--verbosity=0", "--command", _START)
    return folder


def run(data: Path, *words: str) -> Any:
    return bandstand("sagas", *words, "--data", data, "--fleet", ROOT / "fleet.toml")


def test_sagas_are_listed_with_their_service_and_the_reason_why_they_wait(data: Path) -> None:
    found = json.loads(run(data, "list", "--json").stdout)
    assert [(one["service"], one["key"]) for one in found] == [("orders", "eve"), ("orders", "ada")]
    assert found[0]["why"] == "parked: this release declares no version 1 of 'errand'; deploy one that does"
    listed = run(data, "list", "ada").stdout.splitlines()
    assert listed[0].split() == ["SERVICE", "ID", "TYPE", "KEY", "STATUS", "AGE", "WHY"]
    assert len(listed) == 2


def test_a_deed_reaches_the_service_that_has_the_saga(data: Path) -> None:
    done = run(data, "annotate", "ada", "--by", "grace", "--note", "--a note that looks like an option")
    assert done.returncode == 0, done.stderr
    shown = run(data, "show", "orders", "ada", "--json")
    (said,) = json.loads(shown.stdout)["signals"]
    assert (said["said_by"], said["note"]) == ("grace", "--a note that looks like an option")


def test_what_cannot_be_done_ends_in_one_sentence(data: Path) -> None:
    done = run(data, "cancel", "eve")
    assert (done.returncode, done.stderr.count("--note")) == (1, 1)
    absent = run(data, "show", "nobody")
    assert absent.returncode == 3
    assert "there is no saga 'nobody' in any service" in absent.stderr
