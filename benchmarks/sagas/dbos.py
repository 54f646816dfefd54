"""DBOS, a library that keeps its workflows in PostgreSQL: called by clients, and its own queue drained by workers.

Its pool of 20 connections is its default; with one for each of 64 clients it does fewer. Telemetry is off by default.
"""

import os
import time
from typing import Any

import psycopg

from benchmarks.report import Figures, Gate
from benchmarks.sagas import shop
from benchmarks.sagas.loop import closed_loop
from benchmarks.sagas.workers import workers

_QUEUE, _VERSION = "orders", "1"
_PATIENCE_SECONDS = 120
# A bound for each worker, as its authors advise: without one all are begun at once, and fewer are done in a second. It
# is asked for work so often that no worker runs out of it: once a second, the default, is what would be measured.
_AT_ONCE, _POLL_SECONDS = 64, 0.05


def _url(database: str) -> str:
    return database.replace("postgres://", "postgresql+psycopg://")


def _declare(database: str) -> Any:
    """The workflow, once in a process; its steps are recorded one by one."""
    from dbos import DBOS

    DBOS(
        config={
            "name": "bench",
            "application_version": _VERSION,
            "executor_id": str(os.getpid()),
            "system_database_url": _url(database),
            "log_level": "ERROR",
        }
    )

    @DBOS.step()
    def step(name: str, context: dict[str, Any]) -> dict[str, Any]:
        return shop.act(name, context)

    @DBOS.workflow()
    def order_processing(context: dict[str, Any]) -> dict[str, Any]:
        for name in shop.STEPS:
            context = step(name, context)
        return context

    return order_processing


def dbos_migrate(database: str) -> Figures:
    """Make all tables and the queue."""
    from dbos import DBOS

    _declare(database)
    DBOS.listen_queues([])
    DBOS.launch()
    DBOS.register_queue(_QUEUE, worker_concurrency=_AT_ONCE, polling_interval_sec=_POLL_SECONDS)
    DBOS.destroy()
    return {}


def dbos_saga(database: str, clients: int, seconds: float) -> Figures:
    """A closed loop: each client calls the workflow, which runs in its own thread."""
    from dbos import DBOS

    workflow = _declare(database)
    DBOS.listen_queues([])
    DBOS.launch()
    found = closed_loop(lambda: workflow(shop.CONTEXT), clients=clients, seconds=seconds)
    DBOS.destroy()
    return found


def dbos_work(database: str, gate: str) -> Figures:
    """A worker of its own queue, until the gate is closed."""
    from dbos import DBOS

    _declare(database)
    entrance = Gate(gate)
    entrance.wait()
    DBOS.listen_queues([_QUEUE])
    DBOS.launch()
    while not entrance.is_closed():
        time.sleep(0.02)
    DBOS.destroy()
    return {}


def dbos_backlog(database: str, gate: str, processes: int, count: int) -> Figures:
    """Its queue, drained: from the first dequeued to the last done, by its own clock."""
    from dbos import DBOSClient

    client = DBOSClient(system_database_url=_url(database))
    for _ in range(count):
        # The name under which the decorator knows a function that is defined in another.
        name = f"{_declare.__qualname__}.<locals>.order_processing"
        client.enqueue({"workflow_name": name, "queue_name": _QUEUE, "app_version": _VERSION}, shop.CONTEXT)
    client.destroy()
    with (
        psycopg.connect(database, autocommit=True) as connection,
        workers("dbos_work", {"database": database, "gate": gate}, processes),
    ):
        query = "SELECT count(*), min(started_at_epoch_ms), max(updated_at) FROM dbos.workflow_status"
        query += " WHERE status = 'SUCCESS'"
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while (row := connection.execute(query).fetchone()) is None or row[0] < count:
            assert time.monotonic() < deadline, f"{row} of {count}"
            time.sleep(0.1)
    return {"sagas_per_second": round(count / (row[2] - row[1]) * 1000, 1)}
