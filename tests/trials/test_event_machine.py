"""Outbox, relay and inbox in every interleaving that Hypothesis comes upon, and the faults that it must find."""

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.trials.doubles import DOUBLES
from tests.trials.machine import BOUNDS, DUAL_WRITE, NO_HOLD, Events
from tests.trials.promises import tables

QUICKLY = settings(BOUNDS, phases=[Phase.generate], report_multiple_bugs=False)
FAULTS = {
    "ack-first": "lost",
    "accept-first": "lost",
    "no-inbox": "twice",
    "disorder": "overtaken",
    NO_HOLD: "overtaken",
    DUAL_WRITE: "phantom",
}
"""What is taken away, and what must then be found."""


@pytest.fixture(autouse=True)
def _tables(transactional_db) -> None:
    tables()


def test_every_faulty_bus_is_tried():
    assert FAULTS.keys() >= DOUBLES.keys()


def test_no_interleaving_loses_invents_doubles_or_overtakes():
    run_state_machine_as_test(Events, settings=BOUNDS)


@pytest.mark.parametrize(("fault", "finding"), FAULTS.items())
def test_it_finds(fault, finding):
    class Faulty(Events):
        double = fault

    with pytest.raises(AssertionError, match=f"^{finding}: "):
        run_state_machine_as_test(Faulty, settings=QUICKLY)
