"""The articles' shutdown and resource monitor, R11, R12 and checklist 54: each fault shown, and mended in ours."""

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.cache import cache

from bandstand import health
from bandstand.lifecycle import Loop, begin_drain, end_drain, is_draining, loops, register_loop, start_loops


class ArticlesShutdown:
    """Waits in the signal handler until no request is active, at most *patience* steps."""

    def __init__(self, *, patience: int) -> None:
        self.active = 0
        self.patience = patience
        self.waited = 0

    def handle(self, *_: object) -> None:
        while self.active and self.waited < self.patience:
            self.waited += 1  # the articles sleep a second here

    def serve(self, interrupt: int) -> str:
        self.active += 1
        signal.raise_signal(interrupt)  # SIGTERM arrives while the request is being worked on
        self.active -= 1
        return "500" if self.waited >= self.patience else "200"


def test_r11_waiting_for_requests_in_the_signal_handler_blocks_the_request_it_waits_for() -> None:
    naive = ArticlesShutdown(patience=30)
    before = signal.signal(signal.SIGUSR1, naive.handle)
    try:
        assert naive.serve(signal.SIGUSR1) == "500"
        assert naive.waited == 30  # the whole grace, for nothing: the handler runs in the worker's only thread
    finally:
        signal.signal(signal.SIGUSR1, before)


class OurShutdown(ArticlesShutdown):
    """The same worker, whose handler only marks the process."""

    def handle(self, *_: object) -> None:
        begin_drain()


def test_r11_ours_marks_the_process_and_lets_the_request_finish() -> None:
    ours = OurShutdown(patience=30)
    before = signal.signal(signal.SIGUSR1, ours.handle)
    try:
        assert ours.serve(signal.SIGUSR1) == "200"
        assert is_draining()
        assert not health.readiness().ok
    finally:
        end_drain()
        signal.signal(signal.SIGUSR1, before)


def test_r12_a_signal_handler_set_outside_the_main_thread_raises() -> None:
    with ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match="signal only works in main thread"):
        pool.submit(signal.signal, signal.SIGTERM, lambda *_: None).result()


def test_r12_ours_sets_none_and_works_in_any_thread() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(begin_drain).result()
    assert is_draining()
    assert signal.getsignal(signal.SIGTERM) is before
    end_drain()


def test_54_the_articles_monitor_empties_the_cache_that_all_services_share() -> None:
    def on_high_memory() -> None:
        cache.clear()

    cache.set("payments:session", "precious")
    on_high_memory()
    assert cache.get("payments:session") is None


class Idle(Loop):
    """Runs until it is told to stop."""

    def run(self, stop: threading.Event) -> None:
        stop.wait()


def running() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


def test_54_ours_measures_only_and_starts_no_thread_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.set("payments:session", "precious")
    monkeypatch.setattr(loops, "_factories", {})
    register_loop("idle", Idle)
    assert "bandstand-idle" not in running()
    assert health.liveness().ok
    worker = start_loops()
    assert "bandstand-idle" in running()
    worker.drain(timedelta(seconds=10))
    assert cache.get("payments:session") == "precious"
