"""The threads of remote calls: a step that hangs keeps its share of them, and no more."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bandstand.sagas.pool import CallPool

PATIENCE = 10
SIZE, SHARE = 6, 2


class Hanging:
    """A participant that takes calls and answers none before it is told to."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.answers = threading.Event()

    def __call__(self) -> None:
        self.begun.release()
        assert self.answers.wait(PATIENCE)


@contextmanager
def pool(size: int = SIZE) -> Iterator[tuple[CallPool, Hanging]]:
    found, hanging = CallPool(size), Hanging()
    try:
        yield found, hanging
    finally:
        hanging.answers.set()
        found.close()


def done(calls: CallPool, lane: str, job: Callable[[], None] = lambda: None) -> threading.Event:
    """What is set once a call has been made."""
    ended = threading.Event()

    def work() -> None:
        job()
        ended.set()

    calls.submit(work, lane)
    return ended


def test_every_thread_is_used_before_a_call_waits() -> None:
    with pool() as (calls, hanging):
        for number in range(SIZE):
            calls.submit(hanging, f"step {number}")
        for _ in range(SIZE):
            assert hanging.begun.acquire(timeout=PATIENCE)


def test_two_calls_at_once_do_not_wait_for_one_idle_thread() -> None:
    with pool() as (calls, hanging):
        assert done(calls, "first").wait(PATIENCE)  # its thread is idle now, or soon
        calls.submit(hanging, "second")
        assert done(calls, "third").wait(PATIENCE)


def test_a_step_that_hangs_leaves_room_for_the_others_and_its_own_calls_wait() -> None:
    with pool() as (calls, hanging):
        for _ in range(50):
            calls.submit(hanging, "hangs")
        assert all(done(calls, f"step {number}").wait(PATIENCE) for number in range(20))
        assert sum(hanging.begun.acquire(blocking=False) for _ in range(50)) == SHARE
        hanging.answers.set()
        for _ in range(50 - SHARE):
            assert hanging.begun.acquire(timeout=PATIENCE)


def test_calls_of_one_step_keep_their_order_and_steps_take_turns() -> None:
    made: list[str] = []
    with pool(size=1) as (calls, hanging):
        calls.submit(hanging, "first")
        assert hanging.begun.acquire(timeout=PATIENCE)
        ends = [done(calls, name[0], lambda name=name: made.append(name)) for name in ("a1", "a2", "a3", "b1", "b2")]
        hanging.answers.set()
        assert all(end.wait(PATIENCE) for end in ends)
    assert made == ["a1", "b1", "a2", "b2", "a3"]


def test_a_closed_pool_makes_the_calls_that_wait_and_ends() -> None:
    others = set(threading.enumerate())
    with pool(size=1) as (calls, hanging):
        calls.submit(hanging, "hangs")
        (thread,) = set(threading.enumerate()) - others
        ends = [done(calls, f"step {number}") for number in range(5)]
        calls.close()
        hanging.answers.set()
        assert all(end.wait(PATIENCE) for end in ends)
        thread.join(PATIENCE)
        assert not thread.is_alive()
