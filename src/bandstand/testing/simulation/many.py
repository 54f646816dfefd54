"""As many schedules as the cores of this machine get through: each process takes ranges of seeds."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context

from bandstand.sagas.definition import Saga
from bandstand.testing.simulation.running import Failure, search

__all__ = ["named", "search_with", "sought"]

_AT_A_TIME = 2_000


def named(path: str) -> type[Saga]:
    """The saga class at `module:Class`. Raises ValueError for anything else."""
    module, _, name = path.partition(":")
    found: type[Saga] | None = getattr(import_module(module), name, None) if name else None
    if found is None or not issubclass(found, Saga):
        raise ValueError(f"{path!r} is no module:Class of a saga")
    return found


def search_with(processes: int, path: str, seeds: range) -> Failure | None:
    """As `search`, by several processes; the failure of the lowest seeds that were tried comes back."""
    if processes == 1:
        return search(named(path), seeds)
    parts = [(path, seeds[start : start + _AT_A_TIME]) for start in range(0, len(seeds), _AT_A_TIME)]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for seed in pool.map(sought, parts):
            if seed is not None:
                pool.shutdown(cancel_futures=True)
                return search(named(path), [seed])
    return None


def sought(part: tuple[str, Sequence[int]]) -> int | None:
    """The first of these seeds that breaks a promise: what one process does."""
    path, seeds = part
    failure = search(named(path), seeds)
    return failure.seed if failure is not None else None
