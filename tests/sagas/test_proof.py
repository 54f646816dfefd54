"""A crash at every point of a saga: the proof finds nothing in good sagas, and finds the fault of each bad one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from bandstand.testing.sagas import Finished, Play, Rehearsal, Scenario, Trouble, prove
from tests.project.models import OrderNote
from tests.sagas.shop import Checkout, Participants, Shop, open_shop, order_history
from tests.sagas.test_constructs import Journey, ParcelWeighed, Travel

JOURNEY = Rehearsal(
    saga=Journey,
    begin=Travel(traveller="ada", price=Decimal("10.50"), stops=("Rome", "Bari"), wants_insurance=True),
    answers={
        "flight": {"flight": "BS1"},
        "car": {"car": "red"},
        "room": lambda call: f"room in {call.item}",
        "luggage": ParcelWeighed(parcel="ada", grams=900),
    },
)


SETTINGS = "tests.project.settings"


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")


def shop(participants: Participants) -> Rehearsal:
    """The order saga with its own functions, over these participants."""

    def fresh() -> None:
        opened[:] = [open_shop(Shop(participants))]
        OrderNote.objects.all().delete()

    def the_shop_agrees(finished: Finished) -> None:
        kinds = ("held", "charged", "committed")
        net = [participants.net(kind, finished.saga.pk) for kind in kinds]
        completed = finished.saga.status == "completed"
        assert net == ([1, 1, 1] if completed else [0, 0, 0]), f"{dict(zip(kinds, net, strict=True))}"
        end = f"{finished.saga.status}:{finished.saga.reason}"
        assert order_history("an-order") == (["confirmed", end] if completed else [end])

    opened: list[Shop] = []
    invariants = [the_shop_agrees]
    return Rehearsal(saga=Checkout, begin="an-order", play=Play.OWN, fresh=fresh, invariants=invariants)


@pytest.fixture
def in_file(tmp_path: Path) -> Iterator[Participants]:
    participants = Participants(tmp_path / "participants.sqlite3")
    yield participants
    participants.close()


def test_the_order_saga_survives_a_crash_at_every_point(transactional_db: None) -> None:
    proof = prove(shop(Participants()))
    proof.check()
    assert proof.missed == []
    assert all(case.died for case in proof.cases if case.death)
    assert {case.end for case in proof.cases if not case.scenario.trouble} == {"completed"}
    assert {case.end for case in proof.cases if case.scenario.trouble} == {"compensated", "cancelled"}
    assert "crashes at 28 points in 9 scenarios, 0 violations" in str(proof)


@pytest.mark.sqlite(reason="a proof is thousands of waves; that of the order saga is repeated on PostgreSQL")
def test_a_saga_of_every_construct_survives_a_crash_at_every_point(transactional_db: None) -> None:
    proof = prove(JOURNEY)
    proof.check()
    assert proof.missed == []
    assert {case.end for case in proof.cases} == {"completed", "compensated", "cancelled"}
    assert len(proof.points) == 70


@pytest.mark.database
def test_processes_that_really_die_change_nothing(
    transactional_db: None, in_file: Participants, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = [Scenario(), Scenario(saga="test_checkout", step="capture", trouble=Trouble.UNANSWERED)]
    monkeypatch.setattr("bandstand.testing.sagas.proof.scenarios_of", lambda _: chosen)
    proof = prove(shop(in_file), hits=1, in_processes=True)
    proof.check()
    assert all(case.died for case in proof.cases if case.death)
    assert proof.missed == []


@pytest.mark.parametrize(("careless", "said"), [("keyed", "charged"), ("tombstones", "no tombstone")])
def test_a_careless_participant_is_found(transactional_db: None, careless: str, said: str) -> None:
    proof = prove(shop(Participants(**{careless: False})), hits=1)
    assert any(said in violation for violation in proof.violations)
    with pytest.raises(AssertionError, match="test_checkout"):
        proof.check()


@pytest.mark.database
@pytest.mark.parametrize(("rehearsal", "status"), [("STAND_INS", 0), ("BROKEN", 1)])
def test_a_command_proves_a_saga_of_which_only_the_declaration_runs(rehearsal: str, status: int) -> None:
    done = by_verb("prove", f"tests.sagas.rehearsals:{rehearsal}", "--hits", "1", "--settings", SETTINGS)
    assert (done.returncode, done.stderr) == (status, "")
    assert "all goes well" in done.stdout
    assert ("as it is told to" in done.stdout) is bool(status)


@pytest.mark.parametrize(
    ("named", "settings", "status", "said"),
    [
        ("tests.sagas.rehearsals:STAND_INS", "", 2, "DJANGO_SETTINGS_MODULE: is not set"),
        ("tests.sagas.rehearsals:STAND_INS", "absent.settings", 2, "'absent.settings' is no module"),
        ("tests.sagas.rehearsals", SETTINGS, 3, "is no MODULE:NAME"),
        ("tests.sagas.absent:STAND_INS", SETTINGS, 3, "there is no module tests.sagas.absent"),
        ("tests.sagas.rehearsals:ABSENT", SETTINGS, 3, "there is no ABSENT in tests.sagas.rehearsals"),
        ("tests.sagas.rehearsals:Checkout", SETTINGS, 3, "tests.sagas.rehearsals:Checkout is no Rehearsal"),
    ],
)
def test_what_cannot_be_proved_is_said_in_one_sentence(named: str, settings: str, status: int, said: str) -> None:
    done = by_verb("prove", named, "--settings", settings)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
    assert "not expected" not in done.stderr


def by_verb(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run the command as it is installed: with the working directory on no path of its own."""
    command = [sys.executable, "-P", "-m", "bandstand.cli", "sagas", *words]
    return subprocess.run(command, env=_apart(), capture_output=True, text=True, timeout=240, check=False)


def _apart() -> dict[str, str]:
    """The environment of a process that makes a test database of its own beside the one of these tests."""
    env = {name: value for name, value in os.environ.items() if name not in ("DJANGO_SETTINGS_MODULE", "PYTHONPATH")}
    server = env.get("DATABASE_URL", "")
    return {**env, "DATABASE_URL": f"{server.rpartition('/')[0]}/rehearsed"} if server else env
