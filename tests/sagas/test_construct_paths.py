"""Ways of the construct machine that random search seldom goes, step by step."""

import pytest

from tests.sagas.machine import by_hand
from tests.sagas.test_construct_machine import Trips


def test_a_late_reply_ends_no_recall(transactional_db: None, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")
    with by_hand(Trips) as trips:
        trips.begin((), (0, {"look.do": ["refuse"]}))
        trips.work(0, 6)
        assert [command.back for command in trips.world.bus] == [False, True]
        trips.the_bus_delivers(0, keep=False)
        trips.work(0, 6)
        trips.an_end_is_final()
        assert trips.live()


def test_what_reaches_the_provider_late_is_found_in_its_books(
    transactional_db: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("CRITICAL")
    with by_hand(Trips) as trips:
        trips.begin((), (23, {"charge.do": ["always:late"]}))
        assert trips.world.astray
        for _ in range(60):
            trips.time_passes(4)
            trips.please_everybody()
            trips.work(0, 6)
            trips.an_end_is_final()
        assert not trips.live()
        assert trips.world.foreign.applied("charge") == 1
        assert not trips.world.foreign.net("charge")
