"""A bounded search by the simulator, for the table of planted bugs; the long one is in `tests/sagas`."""

import pytest

from bandstand.sagas import Saga
from bandstand.testing.simulation import search
from bandstand.testing.simulation.sagas import Everything, Order


@pytest.mark.parametrize(("saga", "schedules"), [(Order, 20_000), (Everything, 4_000)])
def test_no_schedule_breaks_a_promise(saga: type[Saga], schedules: int) -> None:
    failure = search(saga, range(schedules))
    assert failure is None, failure.message if failure is not None else ""
