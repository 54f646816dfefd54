"""A backlog of ours: sagas in the table that no worker has seen yet."""

import time

from benchmarks.report import Figures, in_child
from benchmarks.sagas import filling, shop
from benchmarks.sagas.workers import workers

_PATIENCE_SECONDS = 120


def backlog(database: str, gate: str, processes: int, count: int) -> Figures:
    """From the opening of the gate until none is live."""
    given = {"database": database}
    saga = in_child("benchmarks.bench_sagas", "first", given)["saga"]
    shop.configure(database=database)
    filling.copy(database, saga, count - 1)
    live = filling.live_sagas()
    assert live.count() == count
    with workers("work", {**given, "gate": gate}, processes):
        began, deadline = time.perf_counter(), time.monotonic() + _PATIENCE_SECONDS
        while live.all().exists():
            assert time.monotonic() < deadline, f"{live.count()} sagas are left"
            time.sleep(0.02)
        took = time.perf_counter() - began
    return {"sagas_per_second": round(count / took, 1)}
