"""Recorded histories take today's way through engine and definition, or the test says where they part."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings

from bandstand.cli import sagas
from bandstand.cli.failures import Failure
from bandstand.clock import uuid7
from bandstand.sagas import Saga, SagaStep, StepCall, StepKind
from bandstand.testing.sagas import Diverged, on_stage, record, replay
from tests.sagas.shop import Checkout, Participants, Shop, open_shop
from tests.sagas.test_constructs import Journey, ParcelWeighed, Travel


@pytest.fixture(autouse=True)
def _shop(transactional_db: None) -> None:
    open_shop(Shop(Participants()))


def nothing(call: StepCall) -> None:
    return None


def renamed(*names: str) -> Saga:
    """The order saga with steps of these names."""
    kinds = dict(zip(names, [StepKind.COMPENSATABLE] * 2 + [StepKind.PIVOT] + [StepKind.RETRIABLE] * 9, strict=False))
    steps = [SagaStep(name, do=nothing, undo=nothing, kind=kind) for name, kind in kinds.items()]
    return type("Renamed", (Checkout,), {"steps": steps, "__module__": __name__, "name": ""})()


def recorded(folder: Path, *orders: dict[str, object]) -> Path:
    file = folder / "history.json"
    with on_stage(Checkout, "o1") as story:
        for order in orders:
            story.when(**order)
        story.runs()
        record(story.id, file)
    return file


GOOD = ["validate", "reserve", "capture", "commit", "confirm"]
TROUBLES = [
    [],
    [{"step": "capture", "refuses": "declined"}],
    [{"step": "capture", "unanswered": 1000}],
    [{"step": "reserve", "unsent": 2}, {"step": "commit", "unanswered": 3}],
]


@pytest.mark.parametrize("orders", TROUBLES)
def test_a_history_is_replayed_by_what_made_it(tmp_path: Path, orders: list[dict[str, object]]) -> None:
    replay(recorded(tmp_path, *orders), Checkout)


@pytest.mark.parametrize("moment", ["after_intent", "after_call", "after_log"])
def test_a_history_with_a_crash_is_replayed(tmp_path: Path, moment: str) -> None:
    with on_stage(Checkout, "o1") as story:
        story.crash("capture", moment=moment).runs()
        record(story.id, tmp_path / "crash.json")
    replay(tmp_path / "crash.json", Checkout)


def test_a_history_of_every_construct_is_replayed(tmp_path: Path) -> None:
    travel = Travel(traveller="ada", price=Decimal("10.50"), stops=("Rome", "Bari"))
    with on_stage(Journey, travel) as story:
        story.when("seat", unanswered=2).runs().hear("luggage", ParcelWeighed(parcel="ada", grams=9))
        story.approve("manager").advance(timedelta(minutes=10)).advance(timedelta(hours=1)).then(status="completed")
        record(story.id, tmp_path / "journey.json")
    replay(tmp_path / "journey.json", Journey)


def test_a_cancelled_history_is_replayed(tmp_path: Path) -> None:
    with on_stage(Journey, Travel(traveller="ada", price=Decimal(1))) as story:
        story.cancel().runs().then(status="cancelled")
        record(story.id, tmp_path / "cancelled.json")
    replay(tmp_path / "cancelled.json", Journey)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["validate", "hold", "capture", "commit", "confirm"], "do hold 1 intent.*do reserve 1 intent"),
        (["validate", "capture", "reserve", "commit", "confirm"], "do capture 1 intent.*do reserve 1 intent"),
        (GOOD[:4], "do confirm 1 intent|ends completed"),
    ],
)
def test_a_definition_that_goes_another_way_diverges(tmp_path: Path, names: list[str], said: str) -> None:
    with pytest.raises(Diverged, match=said):
        replay(recorded(tmp_path), renamed(*names))


def by_verb(*words: str) -> object:
    return sagas.command.main([*words, "--settings", settings.SETTINGS_MODULE], standalone_mode=False)


def test_the_verbs_record_and_replay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = str(tmp_path / "kept.json")
    with on_stage(Checkout, "o1") as story:
        story.runs()
        by_verb("record", str(story.id), kept)
    assert by_verb("replay", "tests.sagas.shop:Checkout", kept) == 0
    assert by_verb("replay", f"{__name__}:SHORTER", kept, kept) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "0 of 2 histories take the same way"


def test_a_history_is_recorded_only_of_a_saga_that_has_ended(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="there is no saga"):
        by_verb("record", str(uuid7()), str(tmp_path / "none.json"))
    with on_stage(Checkout, "o1") as story, pytest.raises(Failure, match="has not ended"):
        by_verb("record", str(story.id), str(tmp_path / "none.json"))


SHORTER = renamed(*GOOD[:2])
