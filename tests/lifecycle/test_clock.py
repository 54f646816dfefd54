"""The held clock stands in for wall clock, monotonic clock and the database's."""

from datetime import datetime, timedelta

import pytest

from bandstand import clock
from bandstand.testing.clock import HeldClock, held_clock


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


def test_the_databases_time_is_carried_on_for_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    held, asked = HeldClock(), []

    def database_now(using: str) -> datetime:
        asked.append(using)
        return held.now() - timedelta(hours=1)

    held.held = False  # a clock that is moved by hand, but does not stand in for the database's
    monkeypatch.setattr(clock, "database_now", database_now)
    previous = clock.install(held)
    try:
        first = clock.database_time("elsewhere")
        held.advance(3)
        assert clock.database_time("elsewhere") == first + timedelta(seconds=3)
        assert asked == ["elsewhere"]
        held.advance(3)
        assert clock.database_time("elsewhere") == held.now() - timedelta(hours=1)
        assert asked == ["elsewhere"] * 2
    finally:
        clock.install(previous)
