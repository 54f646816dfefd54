"""The saga protocol: however workers crash and the network behaves, all of a checkout happens or nothing of it.

The model includes the engine's own transition table. What it is not told by the table, `sagas.pml` says.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pkgutil import resolve_name

import pytest

from bandstand.sagas.transitions import TRANSITIONS, Heard, Phase, Stance
from tests.models.spin import FOLDER, Exploration, explore_all, missing, named_functions
from tests.models.transitions import FILE, line_of, promela

MODEL = FOLDER / "sagas.pml"
TWO_WORKERS = ("WORKERS=2",)
PARALLEL = ("WORKERS=1", "PARALLEL")
COMMAND = ("WORKERS=1", "PARALLEL", "COMMAND")
FOREIGN = ("WORKERS=1", "FOREIGN")
VARIANTS = (TWO_WORKERS, PARALLEL, COMMAND, FOREIGN)

needs_spin = pytest.mark.skipif(missing() is not None, reason=missing() or "")


@pytest.fixture(scope="module")
def explored(tmp_path_factory) -> Mapping[tuple[str, ...], Exploration]:
    folders = [tmp_path_factory.mktemp("model") for _ in VARIANTS]
    with ThreadPoolExecutor() as pool:
        found = pool.map(lambda variant, folder: explore_all(MODEL, variant, folder), VARIANTS, folders)
        return dict(zip(VARIANTS, found, strict=True))


@needs_spin
@pytest.mark.parametrize("variant", VARIANTS, ids=["two workers", "parallel", "command", "foreign"])
def test_the_protocol_holds(variant, explored):
    assert explored[variant].holds


@needs_spin
@pytest.mark.parametrize(
    "removed",
    [
        "NOINTENT",
        "NOKEY",
        "NOTOMB",
        "NOFENCE",
        "UNKNOWNISFAILED",
        "SWALLOWUNDO",
        "SKIPDOUBT",
        "FROMPREVIOUS",
        "SILENTREPEAT",
        "PIVOTBACK",
    ],
)
def test_without_any_one_mechanism_it_does_not(removed, tmp_path):
    assert not explore_all(MODEL, [*TWO_WORKERS, removed], tmp_path).holds


@needs_spin
def test_a_join_that_does_not_wait_for_the_other_branch_is_refuted(tmp_path):
    assert not explore_all(MODEL, [*PARALLEL, "EARLYJOIN"], tmp_path).holds


@needs_spin
def test_the_refusal_of_a_command_that_may_be_heard_twice_is_not_final(tmp_path):
    assert not explore_all(MODEL, [*COMMAND, "ASKEDONCE"], tmp_path).holds


@needs_spin
@pytest.mark.parametrize("removed", ["NOHOLD", "ONEQUERY"])
def test_a_provider_without_tombstones_must_be_asked_late_and_twice(removed, tmp_path):
    assert not explore_all(MODEL, [*FOREIGN, removed], tmp_path).holds


def test_the_model_includes_the_table_of_the_engine():
    assert FILE.read_text(encoding="utf-8") == promela(), "python -m tests.models.transitions"


@needs_spin
def test_the_model_takes_every_row_of_the_table_that_matters(explored):
    """A row that no state takes would be unproved. Those that a checkout cannot meet differ from others in nothing."""
    never = {text for _, text in explored[PARALLEL].unreached if not _is_of_a_row(text)}
    assert never == {"assert(0)", "-end-"}
    rows = {line_of(row): row for row in TRANSITIONS}
    unreached = explored[PARALLEL].unreached & explored[COMMAND].unreached
    unproved = {rows[line] for line, text in unreached if _is_of_a_row(text)}
    assert unproved == {row for row in TRANSITIONS if not _is_met(*row)}


def _is_of_a_row(text: str) -> bool:
    return text.startswith("mine.doubt[n] =")


def _is_met(phase: Phase, heard: Heard, stance: Stance, doubt: bool) -> bool:
    if phase in (Phase.UNDOING, Phase.RESTING):
        return stance is Stance.GIVEN_UP and not doubt
    is_signal = phase is Phase.PAUSING and heard is not Heard.DUE
    return not is_signal or (doubt and stance is not Stance.FORWARD)


def test_the_steps_of_the_model_are_functions_of_the_code():
    names = named_functions(MODEL.name)
    assert len(names) > 4
    assert all(callable(resolve_name(name)) for name in names)
