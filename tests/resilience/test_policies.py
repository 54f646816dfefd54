"""Backoff, deadlines and watched files."""

from datetime import timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bandstand import clock, context
from bandstand.resilience import Deadline, RetryPolicy, WatchedFile
from bandstand.testing.clock import held_clock


def test_backoff_doubles_up_to_its_cap() -> None:
    policy = RetryPolicy(base=timedelta(milliseconds=100), cap=timedelta(seconds=1))
    assert [policy.backoff(attempt).total_seconds() for attempt in range(1, 7)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


@given(attempt=st.integers(1, 10**9), draw=st.floats(0, 1))
def test_a_delay_is_never_over_the_cap_and_never_negative(attempt: int, draw: float) -> None:
    policy = RetryPolicy()
    assert timedelta() <= policy.delay(attempt, draw=lambda: draw) <= policy.cap


def test_the_jitter_spreads_over_the_whole_backoff() -> None:
    policy = RetryPolicy(base=timedelta(seconds=1), cap=timedelta(seconds=1))
    delays = [policy.delay(1).total_seconds() for _ in range(2000)]
    assert min(delays) < 0.05
    assert max(delays) > 0.95


def test_the_nearer_deadline_counts() -> None:
    with held_clock() as held:
        with context.bound(context.Context(deadline=clock.monotonic() + 2)):
            assert Deadline.within(timedelta(seconds=5)).remaining == 2
            assert Deadline.within(timedelta(seconds=1)).remaining == 1
        with context.bound(context.Context()):
            deadline = Deadline.within(timedelta(seconds=5))
        held.advance(6)
        assert deadline.remaining == -1


def test_a_watched_file_is_looked_at_no_more_often_than_asked(tmp_path: Path) -> None:
    path = tmp_path / "watched"
    read: list[bytes] = []

    def parse(content: bytes) -> str:
        read.append(content)
        return content.decode()

    with held_clock() as held:
        watched = WatchedFile(path, parse=parse, empty="nothing", every=timedelta(seconds=1))
        assert watched.get() == "nothing"
        path.write_text("first")
        assert watched.get() == "nothing"
        held.advance(1)
        assert [watched.get() for _ in range(5)] == ["first"] * 5
        held.advance(1)
        assert watched.get() == "first"
        assert read == [b"first"]
        watched.refresh()
        assert read == [b"first"]
