"""Bugs are planted in the sagas one by one, and the tests must notice each: `python -m tests.mutants` tells by what."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.mutants.checks import CHECKS
from tests.mutants.children import CHILDREN
from tests.mutants.declaration import Mutant
from tests.mutants.planted import MUTANTS
from tests.mutants.running import ROOT, Found, copied, hold_against, plant, run
from tests.mutants.table import PAGE, listed, merged, table

pytestmark = pytest.mark.sqlite(reason="about the tests, which are repeated on PostgreSQL themselves")

DEADLINE_SECONDS = 300.0
SELECTIONS = sorted({mutant.caught_by for mutant in MUTANTS})


@pytest.fixture(scope="module")
def found() -> Mapping[str, Found]:
    """What the quickest selection of tests found of each bug."""
    with ThreadPoolExecutor(os.cpu_count()) as pool, CHILDREN.interruptible():
        results = pool.map(lambda one: hold_against(one, [one.caught_by], deadline_seconds=DEADLINE_SECONDS), MUTANTS)
        return {mutant.name: result for mutant, result in zip(MUTANTS, results, strict=True)}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_is_caught(mutant: Mutant, found: Mapping[str, Found]) -> None:
    assert not found[mutant.name].fault
    assert found[mutant.name].failed, f"{mutant.caught_by} did not notice that {mutant.breaks}"


def test_where_nothing_is_planted_nothing_is_caught() -> None:
    with copied() as folder:
        assert run(folder, SELECTIONS, deadline_seconds=DEADLINE_SECONDS) == Found()


def test_a_bug_whose_place_is_gone_is_an_error() -> None:
    with copied() as folder:
        plant(MUTANTS[0], folder)
        with pytest.raises(LookupError):
            plant(MUTANTS[0], folder)


def test_tests_that_cannot_be_run_catch_nothing() -> None:
    with copied() as folder:
        broken = folder / "tests/sagas/test_engine.py"
        broken.write_text("import no_such_module\n")
        result = run(folder, [str(broken.relative_to(folder))], deadline_seconds=DEADLINE_SECONDS)
        assert (result.is_caught, bool(result.fault)) == (False, True)


def test_there_are_enough_of_them_each_with_a_name_of_its_own() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 20


def test_each_is_caught_by_tests_of_a_check() -> None:
    checked = {path for check in CHECKS.values() for path in check.selection}
    assert {selection.partition("::")[0] for selection in SELECTIONS} <= checked
    assert [path for path in checked if not (ROOT / path).exists()] == []


def test_the_docs_list_exactly_these_bugs() -> None:
    assert listed() == [mutant.name for mutant in MUTANTS], "python -m tests.mutants"


def test_what_a_run_leaves_out_stays_in_the_docs() -> None:
    nothing = {mutant.name: frozenset[str]() for mutant in MUTANTS}
    catches, held = merged(nothing, [], CHECKS)
    assert table(MUTANTS, catches, {name: CHECKS[name] for name in held}) in PAGE.read_text(encoding="utf-8")
    anew, held_anew = merged(nothing, ["unit"], CHECKS)
    assert held_anew == held
    assert anew == {name: by - {"unit"} for name, by in catches.items()}
