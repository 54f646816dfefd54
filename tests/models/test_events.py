"""Outbox, relay, inbox, retries: nothing lost, no phantom, nothing twice, order per subject, however they interleave.

The model is explored in two sizes that together cover what may go wrong; `events.pml` says what they bound.
"""

from pkgutil import resolve_name

import pytest

from tests.models.spin import explore, missing, named_functions

TWO_RELAYS = ("RELAYS=2", "CRASHES=1", "FAULTS=0", "FAILURES=0", "REFUSALS=0")
FAILING = ("RELAYS=1", "CRASHES=1", "FAULTS=1", "FAILURES=2", "REFUSALS=1")

pytestmark = pytest.mark.skipif(missing() is not None, reason=missing() or "")


@pytest.mark.parametrize("bounds", [TWO_RELAYS, FAILING], ids=["two relays", "failing"])
def test_the_protocol_holds(bounds, tmp_path):
    assert explore("events.pml", bounds, tmp_path)


@pytest.mark.parametrize(
    "removed",
    [
        "DUALWRITE",
        "MARKFIRST",
        "NOCONFIRM",
        "POSITION",
        "NOHOLD",
        "ACKFIRST",
        "NOINBOX",
        "SPLITTX",
        "NOWAIT",
        "EARLYPURGE",
    ],
)
def test_without_any_one_mechanism_it_does_not(removed, tmp_path):
    assert not explore("events.pml", [*FAILING, removed], tmp_path)


def test_the_steps_of_the_model_are_functions_of_the_code():
    names = named_functions("events.pml")
    assert len(names) > 8
    assert all(callable(resolve_name(name)) for name in names)
