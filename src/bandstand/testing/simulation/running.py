"""Running schedules: one, many, and the simplest one that still breaks a promise."""

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from bandstand.sagas.definition import Saga
from bandstand.testing.simulation.chance import data_of
from bandstand.testing.simulation.invariants import check
from bandstand.testing.simulation.storage import Violation
from bandstand.testing.simulation.world import START, World

__all__ = ["Failure", "search", "shrunk", "simulate", "survives", "timeline"]

_WORLDS_AT_A_TIME = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A schedule that broke a promise: its seed, its bytes, and what was broken."""

    saga: Saga
    seed: int
    data: bytes
    rule: str
    message: str

    def __str__(self) -> str:
        name = f"{type(self.saga).__module__}:{type(self.saga).__qualname__}"
        again = f"python -m bandstand.testing.simulation --saga {name} --seed {self.seed}"
        simplest = shrunk(self)
        return f"{self.message}\n{again}\n{len(simplest.data)} bytes are enough:\n{timeline(self.saga, simplest.data)}"


def simulate(saga: type[Saga] | Saga, schedule: int | bytes) -> World:
    """Run one schedule, of a seed or of bytes, to its end. Raises Violation."""
    world = World(_instance(saga), _bytes(schedule))
    world.run()
    check(world)
    return world


def search(saga: type[Saga] | Saga, seeds: Iterable[int]) -> Failure | None:
    """Run the schedules of *seeds* until one breaks a promise."""
    declared = _instance(saga)
    with _own_collections():
        for count, seed in enumerate(seeds, 1):
            failure = _failure(declared, seed, data_of(seed))
            if failure is not None:
                return failure
            if count % _WORLDS_AT_A_TIME == 0:
                gc.collect()
    return None


def survives(saga: type[Saga] | Saga, *, schedules: int = 10_000, first: int = 0) -> None:
    """Assert that *saga* keeps its promises in that many schedules.

    Raises AssertionError with the seed, the command that repeats it, and the simplest schedule that fails as well.
    """
    failure = search(saga, range(first, first + schedules))
    if failure is not None:
        raise AssertionError(str(failure))


def timeline(saga: type[Saga] | Saga, schedule: int | bytes) -> str:
    """Everything that happens in one schedule, a line each, with the seconds since its beginning."""
    lines: list[str] = []

    def note(now: datetime, what: str) -> None:
        lines.append(f"{(now - START).total_seconds():12.3f}  {what}".rstrip())

    world = World(_instance(saga), _bytes(schedule), note)
    try:
        world.run()
        check(world)
    except Exception as broken:  # noqa: BLE001 - it is what the timeline is read for
        note(world.now, f"BROKEN {type(broken).__name__} {broken}")
    return "\n".join(lines)


def shrunk(failure: Failure) -> Failure:
    """The simplest schedule found that breaks the same promise: fewer bytes, more zeros."""
    best, improved = failure, True
    while improved:
        improved = False
        for simpler in _simpler(best.data):
            found = _failure(best.saga, best.seed, simpler)
            if found is not None and found.rule == best.rule:
                best, improved = found, True
                break
    return best


@contextmanager
def _own_collections() -> Iterator[None]:
    """Collect garbage when a batch of worlds is done with: each is a knot of cycles, and little else is garbage."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_enabled:
            gc.enable()


def _simpler(data: bytes) -> Iterator[bytes]:
    for size in (32, 16, 8, 4, 2, 1):
        for start in range(len(data) - size, -1, -1):
            yield data[:start] + data[start + size :]
    for size in (8, 4, 2, 1):
        for start in range(len(data) - size + 1):
            if any(data[start : start + size]):
                yield data[:start] + bytes(size) + data[start + size :]


def _failure(saga: Saga, seed: int, data: bytes) -> Failure | None:
    try:
        simulate(saga, data)
    except Violation as violation:
        return Failure(saga=saga, seed=seed, data=data, rule=violation.rule, message=str(violation))
    except Exception as error:  # noqa: BLE001 - the engine must not raise, whatever it is told
        rule = f"the engine raises nothing, not {type(error).__name__}"
        return Failure(saga=saga, seed=seed, data=data, rule=rule, message=f"{rule}: {error}")
    return None


def _bytes(schedule: int | bytes) -> bytes:
    return data_of(schedule) if isinstance(schedule, int) else schedule


def _instance(saga: type[Saga] | Saga) -> Saga:
    return saga if isinstance(saga, Saga) else saga()
