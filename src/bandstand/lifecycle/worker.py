"""The threads that run a process's loops, and their end."""

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from django.db import connections

from bandstand import clock, health
from bandstand.lifecycle.loops import Loop, registered_loops

__all__ = ["Worker", "name_thread", "start_loops"]

log = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE, _STEADY_AFTER = 0.1, 30.0, 60.0


def name_thread(name: str) -> None:
    """Let the operating system show the present thread as *name*, cut to 15 characters, in `top -H` and the like."""
    with suppress(OSError):  # only Linux has this file
        Path("/proc/thread-self/comm").write_text(name[:15], encoding="utf-8")


class _Runner:
    """One loop in its thread: runs it, restarts it after a crash, answers for its health."""

    def __init__(self, name: str, factory: Callable[[], Loop], stop: threading.Event) -> None:
        self.name = name
        self._factory = factory
        self._stop = stop
        self._loop: Loop | None = None
        self.thread = threading.Thread(target=self._supervise, name=f"bandstand-{name}", daemon=True)

    def ailment(self) -> str | None:
        """What is wrong with the loop, or None: a dead thread or an old heartbeat."""
        if not self.thread.is_alive():
            return "stopped"
        return "stalled" if self._loop is not None and self._loop.is_stalled else None

    def wake(self) -> None:
        if self._loop is not None:
            self._loop.wake()

    def _supervise(self) -> None:
        name_thread(self.name)
        pause = _FIRST_PAUSE
        try:
            while not self._stop.is_set():
                started = clock.monotonic()
                self._run_once()
                if clock.monotonic() - started > _STEADY_AFTER:
                    pause = _FIRST_PAUSE
                self._stop.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
        finally:
            connections.close_all()

    def _run_once(self) -> None:
        try:
            self._loop = self._factory()
            self._loop.beat()
            self._loop.run(self._stop)
        except Exception:
            log.exception("loop.crashed", extra={"loop": self.name})
            connections.close_all()
        else:
            if not self._stop.is_set():
                log.error("loop.ended_early", extra={"loop": self.name})
        finally:
            self._loop = None


class Worker:
    """The running loops of this process; made by `start_loops`."""

    def __init__(self, factories: Mapping[str, Callable[[], Loop]]) -> None:
        self._stop = threading.Event()
        self._runners = [_Runner(name, factory, self._stop) for name, factory in factories.items()]

    @property
    def loops(self) -> tuple[str, ...]:
        """The names of the loops that run here."""
        return tuple(runner.name for runner in self._runners)

    def start(self) -> None:
        """Start one daemon thread per loop and let liveness answer for it."""
        for runner in self._runners:
            runner.thread.start()
            health.register_liveness(f"loop:{runner.name}", runner.ailment)

    def alive(self) -> bool:
        """Whether every loop runs and beats."""
        return all(runner.ailment() is None for runner in self._runners)

    def drain(self, timeout: timedelta) -> None:
        """Let every loop finish its unit of work and end, waiting at most *timeout* for all of them together.

        A loop that does not end in time is named in the log and cut off with the process; whatever it had in hand is
        taken up by the next process, as after a crash. Draining twice is harmless.
        """
        self._stop.set()
        for runner in self._runners:
            health.forget_liveness(f"loop:{runner.name}")
            runner.wake()
        deadline = clock.monotonic() + timeout.total_seconds()
        for runner in self._runners:
            runner.thread.join(max(0.0, deadline - clock.monotonic()))
        late = [runner.name for runner in self._runners if runner.thread.is_alive()]
        if late:
            log.warning("worker.drain_timed_out", extra={"loops": late})
        else:
            log.info("worker.drained", extra={"loops": list(self.loops)})


def start_loops(names: Collection[str] | None = None) -> Worker:
    """Start the loops called *names* (None: all that are registered) and return the worker that holds them.

    Call it after the last fork and after the application is loaded: threads do not survive a fork. Raises ValueError
    naming every unknown loop.
    """
    offered = registered_loops()
    unknown = sorted(set(names or ()) - set(offered))
    if unknown:
        raise ValueError(f"unknown loops: {', '.join(unknown)}; there are: {', '.join(offered) or 'none'}")
    worker = Worker({name: factory for name, factory in offered.items() if names is None or name in names})
    worker.start()
    return worker
