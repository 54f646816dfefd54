"""Loops run in threads of their own, survive crashes, answer for their health, and end when told to."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from bandstand import context, health
from bandstand.lifecycle import Loop, Worker, loops, register_loop, start_loops
from bandstand.testing.clock import held_clock

PATIENCE = 10


class Counting(Loop):
    """Does one unit of work whenever it is given one, and notes what it saw."""

    def __init__(self, *, crashes: int = 0) -> None:
        self.crashes = crashes
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.finished = threading.Event()
        self.woken = threading.Event()
        self.runs = 0
        self.correlation_ids: list[str] = []

    def run(self, stop: threading.Event) -> None:
        self.runs += 1
        with self.iteration():
            self.correlation_ids.append(context.current().correlation_id)
            if self.runs <= self.crashes:
                raise RuntimeError("crashed on purpose")
        self.begun.set()
        stop.wait()
        if self.go_on.wait(PATIENCE):
            self.finished.set()

    def wake(self) -> None:
        self.woken.set()


@pytest.fixture
def start() -> Iterator[Callable[..., Worker]]:
    """Start loops under their names and end them with the test."""
    workers: list[Worker] = []
    before = dict(loops._factories)
    loops._factories.clear()

    def starter(**given: Loop) -> Worker:
        for name, loop in given.items():
            register_loop(name, lambda loop=loop: loop)
        workers.append(start_loops())
        return workers[-1]

    yield starter
    for worker in workers:
        worker.drain(timedelta(seconds=PATIENCE))
    loops._factories.clear()
    loops._factories.update(before)


def test_a_loop_that_crashes_is_started_again_with_a_fresh_context(start: Callable[..., Worker]) -> None:
    loop = Counting(crashes=2)
    loop.go_on.set()
    worker = start(counting=loop)
    assert loop.begun.wait(PATIENCE)
    assert loop.runs == 3
    assert len(set(loop.correlation_ids)) == 3
    assert worker.alive()


def test_draining_lets_the_unit_in_hand_finish(start: Callable[..., Worker]) -> None:
    loop = Counting()
    worker = start(counting=loop)
    assert loop.begun.wait(PATIENCE)
    drained = threading.Thread(target=worker.drain, args=(timedelta(seconds=PATIENCE),))
    drained.start()
    assert loop.woken.wait(PATIENCE)
    assert not loop.finished.is_set()
    loop.go_on.set()
    drained.join(PATIENCE)
    assert loop.finished.is_set()
    assert not worker.alive()


def test_draining_gives_up_on_a_loop_that_does_not_end(
    start: Callable[..., Worker], caplog: pytest.LogCaptureFixture
) -> None:
    loop = Counting()
    worker = start(stubborn=loop)
    assert loop.begun.wait(PATIENCE)
    worker.drain(timedelta(milliseconds=20))
    loop.go_on.set()
    assert [record.loops for record in caplog.records if record.msg == "worker.drain_timed_out"] == [["stubborn"]]


def test_a_loop_without_a_heartbeat_fails_liveness_until_it_beats(start: Callable[..., Worker]) -> None:
    loop = Counting()
    loop.go_on.set()
    with held_clock() as held:
        worker = start(counting=loop)
        assert loop.begun.wait(PATIENCE)
        held.advance(loop.stall_after + timedelta(seconds=1))
        assert health.liveness().failing == ("loop:counting stalled",)
        assert not worker.alive()
        loop.beat()
        assert health.liveness().ok


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_loop_whose_thread_died_fails_liveness(start: Callable[..., Worker]) -> None:
    class Dying(Counting):
        def run(self, stop: threading.Event) -> None:
            raise SystemExit

    worker = start(dying=Dying())
    worker._runners[0].thread.join(PATIENCE)
    assert health.liveness().failing == ("loop:dying stopped",)


def test_a_drained_loop_is_no_matter_of_liveness(start: Callable[..., Worker]) -> None:
    loop = Counting()
    loop.go_on.set()
    start(counting=loop).drain(timedelta(seconds=PATIENCE))
    assert health.liveness().ok


def test_only_the_named_loops_are_started(start: Callable[..., Worker]) -> None:
    register_loop("one", Counting)
    register_loop("two", Counting)
    worker = start_loops(["two"])
    assert worker.loops == ("two",)
    worker.drain(timedelta())
    with pytest.raises(ValueError, match="unknown loops: three; there are: one, two"):
        start_loops(["three"])


def test_the_system_shows_the_thread_of_a_loop_under_its_name(start: Callable[..., Worker]) -> None:
    loop = Counting()
    loop.go_on.set()
    start(counting=loop)
    assert loop.begun.wait(PATIENCE)
    shown = {task.read_text().strip() for task in Path("/proc/self/task").glob("*/comm")}
    assert not shown or "counting" in shown  # only Linux shows them there
