"""The held clock stands in for wall clock, monotonic clock and the database's."""

from datetime import timedelta

import pytest

from bandstand import clock
from bandstand.testing.clock import held_clock


def test_time_moves_only_when_told() -> None:
    with held_clock() as held:
        before = clock.now(), clock.monotonic(), clock.database_now()
        assert before == (clock.now(), clock.monotonic(), clock.database_now())
        held.advance(timedelta(minutes=1))
        clock.sleep(30)
        assert clock.now() - before[0] == timedelta(seconds=90)
        assert clock.monotonic() - before[1] == 90
        with pytest.raises(ValueError, match="does not go back"):
            held.advance(-1)
    assert clock.now() > before[0]
