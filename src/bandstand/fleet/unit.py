"""One member of the fleet: a process kept running, judged by its own readiness, restarted with backoff."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from bandstand.clock import monotonic
from bandstand.engines.ports import free_port
from bandstand.fleet.logs import tail
from bandstand.fleet.proc import owns_port
from bandstand.fleet.process import Process, spawn

__all__ = ["Health", "Job", "Run", "StartFailed", "State", "Unit", "until_ready"]

_START_POLL, _POLL = 0.02, 1.0
_BACKOFF_FIRST, _BACKOFF_LAST, _BACKOFF_LAST_ONCE_READY = 0.2, 10.0, 1.0
_HEALTHY_SECONDS = 10.0
_START_SECONDS = 60.0
_FATAL_FAILURES = 3
# A busy server may be slow to answer a probe: only silence that lasts takes it out, and longer silence kills it.
_SILENT_POLLS, _DEAD_POLLS = 3, 10


class State(StrEnum):
    """The states that `status --json` shows."""

    STARTING = "starting"
    READY = "ready"
    UNREADY = "unready"
    DRAINING = "draining"
    RESTARTING = "restarting"
    STOPPED = "stopped"


class Health(StrEnum):
    """What a probe found: `dead` answers that it is broken and wants to be restarted."""

    READY = "ready"
    UNREADY = "unready"
    SILENT = "silent"
    DEAD = "dead"


class StartFailed(Exception):
    """A process did not become ready; the message says which, and shows the end of its log."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a unit runs. `port` is fixed, or None when every run gets a free one. `stop_signal` asks it to finish."""

    name: str
    service: str
    role: str
    command: Callable[[int], Sequence[str]]
    env: Callable[[str], dict[str, str]]
    cwd: Path
    log: Path
    probe: Callable[[int], Awaitable[Health]]
    version: str = "0"
    port: int | None = None
    grace: float = 10.0
    url: Callable[[int], str] = "http://127.0.0.1:{}".format
    stop_signal: signal.Signals = signal.SIGTERM


@dataclass(kw_only=True, eq=False)
class Run:
    """One process of a unit, from spawn to exit."""

    process: Process
    port: int
    state: State
    began: float = field(default_factory=monotonic)
    ready_at: float | None = None
    silent: int = 0

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return "127.0.0.1", self.port


class Unit:
    """Keeps one run of *job* alive. Everything happens on the launcher's main thread.

    `on_change(unit)` is called after every change of state. `restarts` counts unplanned ones.
    """

    def __init__(self, job: Job, on_change: Callable[["Unit"], None]) -> None:
        self.job = job
        self.current: Run | None = None
        self.leaving: list[Run] = []
        self.restarts = 0
        self.failures = 0
        self.ready = asyncio.Event()
        self._stopping = False
        self._count = 0
        self._on_change = on_change
        self._swap = asyncio.Lock()

    @property
    def addresses(self) -> set[tuple[str, int]]:
        """Where requests may be sent now."""
        return {self.current.address} if self.current and self.current.state is State.READY else set()

    async def keep(self) -> None:
        """Run until `stop`: start, watch, start again."""
        while not self._stopping:
            run = await self._present()
            if run is None:
                return
            await self._watch(run)
            async with self._swap:  # a planned replacement may be under way
                if self.current is not run or self._stopping:
                    continue
                planned = run.state is State.DRAINING
                self._move(run, State.RESTARTING)
            if not planned:
                self.restarts += 1
                await asyncio.sleep(self._backoff(run))

    async def _present(self) -> Run | None:
        """The current run, started if there is none. Under the lock: one that a replacement starts must not be lost."""
        async with self._swap:
            if self._stopping:
                return None
            if self.current is None or not self.current.process.is_running:
                self.current = self._launch(State.RESTARTING if self._count else State.STARTING)
            return self.current

    async def replace(self) -> tuple[Run, Run] | None:
        """Start a second run and make it the current one when it is ready; returns (old, new). Raises StartFailed.

        The old one goes on serving until the caller stops it with `retire`. None when there was nothing to replace.
        """
        async with self._swap:
            old = self.current
            if old is None or self._stopping:
                return None
            new = self._launch(State.STARTING)
            self.leaving.append(new)
            try:
                await asyncio.wait_for(self._until_ready(new), _START_SECONDS)
            except TimeoutError:
                raise StartFailed(f"{self.job.name} was not ready in {_START_SECONDS:.0f} s") from None
            finally:
                self.leaving.remove(new)
                if new.ready_at is None:
                    await new.process.stop(grace=1)
            self.current = new
            self.leaving.append(old)
            self._move(old, State.DRAINING)
        return old, new

    async def retire(self, run: Run) -> None:
        """Stop a run that was replaced: it finishes what it has, within the grace."""
        await self._end(run)
        self._move(run, State.STOPPED)
        self.leaving.remove(run)

    async def stop(self) -> None:
        """Drain and stop for good; SIGKILL after the grace."""
        self._stopping = True
        runs = [run for run in (self.current, *self.leaving) if run and run.process.is_running]
        for run in runs:
            self._move(run, State.DRAINING)
        await asyncio.gather(*(self._end(run) for run in runs))
        for run in runs:
            self._move(run, State.STOPPED)

    async def until_ready(self) -> None:
        """Wait until it is ready. Raises StartFailed when it is not in time."""
        try:
            await asyncio.wait_for(self.ready.wait(), _START_SECONDS)
        except TimeoutError:
            raise StartFailed(f"{self.job.name} was not ready in {_START_SECONDS:.0f} s") from None

    async def bounce(self) -> None:
        """Stop the current run and let `keep` start the next: for what has a fixed port. Waits until it is ready."""
        run = self.current
        if run is None or self._stopping:
            return
        self._move(run, State.DRAINING)
        await self._end(run)
        await self.until_ready()

    def kill(self) -> None:
        """End everything at once."""
        for run in (self.current, *self.leaving):
            if run and run.process.is_running:
                run.process.signal(signal.SIGKILL)

    def withdraw(self) -> None:
        """Mark as draining, so that no new request is sent here, and never restart again."""
        self._stopping = True
        if self.current and self.current.process.is_running:
            self._move(self.current, State.DRAINING)

    async def _end(self, run: Run) -> None:
        await run.process.stop(grace=self.job.grace, number=self.job.stop_signal)

    def _launch(self, state: State) -> Run:
        port = self.job.port or free_port()
        self._count += 1
        env = self.job.env(f"{self.job.name}-{self._count}")
        process = spawn(self.job.command(port), cwd=self.job.cwd, env=env, log=self.job.log)
        return Run(process=process, port=port, state=state)

    async def _watch(self, run: Run) -> None:
        """Probe until the process exits or another run took its place."""
        while run.process.is_running and self.current is run:
            self._judge(run, await self.job.probe(run.port))
            pause = _POLL if run.ready_at else _START_POLL
            await asyncio.wait([run.process.exited], timeout=pause)

    async def _until_ready(self, run: Run) -> None:
        while run.ready_at is None:
            if not run.process.is_running:
                raise StartFailed(f"{self.job.name} ended with {run.process.exited.result()} while starting")
            self._judge(run, await self.job.probe(run.port))
            await asyncio.wait([run.process.exited], timeout=_START_POLL)

    def _judge(self, run: Run, health: Health) -> None:
        if not run.process.is_running or run.state in (State.DRAINING, State.STOPPED):
            return
        if health is Health.READY and (
            run.ready_at or owns_port(run.process.pid, run.port) or self.job.role == "gateway"
        ):
            run.silent = 0
            self._move(run, State.READY)
            return
        run.silent = run.silent + 1 if health in (Health.SILENT, Health.DEAD) else 0
        if run.ready_at is None:
            if monotonic() - run.began > _START_SECONDS:
                run.process.signal(signal.SIGKILL)
            return
        if health is Health.UNREADY or run.silent >= _SILENT_POLLS:
            self._move(run, State.UNREADY)
        if run.silent >= _DEAD_POLLS:
            run.process.signal(signal.SIGKILL)

    def _move(self, run: Run, state: State) -> None:
        if run.state is state:
            return
        run.state = state
        if state is State.READY and run.ready_at is None:
            run.ready_at = monotonic()
        if self.addresses:
            self.ready.set()
        else:
            self.ready.clear()
        self._on_change(self)

    def _backoff(self, run: Run) -> float:
        """Double the pause with every failure in a row; one that had served comes back sooner."""
        if run.ready_at is not None and monotonic() - run.ready_at > _HEALTHY_SECONDS:
            self.failures = 0
        self.failures += 1
        longest = _BACKOFF_LAST if run.ready_at is None else _BACKOFF_LAST_ONCE_READY
        pause: float = min(_BACKOFF_FIRST * 2 ** (self.failures - 1), longest)
        return pause


async def until_ready(units: Iterable[Unit], *, unless: asyncio.Event) -> None:
    """Wait until all are ready, or *unless* is set. Raises StartFailed for one that fails again and again."""
    units = list(units)
    leave = asyncio.create_task(unless.wait())
    waiting = {asyncio.create_task(unit.ready.wait()) for unit in units}
    while waiting and not unless.is_set():
        done, _ = await asyncio.wait([*waiting, leave], timeout=0.2, return_when=asyncio.FIRST_COMPLETED)
        waiting -= done
        for unit in units:
            if unit.failures >= _FATAL_FAILURES and unit.current and unit.current.ready_at is None:
                shown = tail(unit.job.log, lines=15)
                raise StartFailed(f"{unit.job.name} does not start. The end of {unit.job.log}:\n{shown}")
    for task in (*waiting, leave):
        task.cancel()
