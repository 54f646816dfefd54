"""How the speed of sagas depends on what lies in their tables, on PostgreSQL. Each role is a process of its own."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from statistics import median
from typing import Any

import psycopg

from benchmarks.report import Figures
from benchmarks.sagas import filling, ours, shop
from benchmarks.sagas.workers import workers

_PATIENCE_SECONDS = 60
_STARTS_EVERY, _LOOKS_EVERY = 0.6, timedelta(milliseconds=400)
# A worker that has woken up asks statement after statement; when nothing was found it sleeps for longer.
_SLEEP_SECONDS = 0.03


def fill(database: str, finished: int = 0, live: int = 0) -> Figures:
    """Write *finished* sagas with their logs, and *live* ones that go on in an hour."""
    shop.configure(database=database)
    templates = _Templates()
    if finished:
        filling.copy(database, templates.finished(), finished - 1)
    if live:
        hour = "CASE WHEN t.{0} IS NULL THEN NULL ELSE now() + interval '1 hour' END"
        later = {name: hour.format(name) for name in filling.live_moments()}
        filling.copy(database, templates.live(), live - 1, later)
    return {}


def tidy(database: str) -> Figures:
    """What the server would do in time; the sizes afterwards."""
    shop.configure(database=database)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
        return filling.sizes(connection)


class _Templates:
    """Real sagas to copy."""

    def __init__(self) -> None:
        self._ends = ours.Ends()
        self._saga = ours.declare(ends=self._ends)

    def live(self) -> str:
        """One that waits for a worker."""
        from bandstand.sagas import start

        return str(start(self._saga, ours.key()))

    def finished(self) -> str:
        """One that a worker has run to its end."""
        from bandstand.sagas import start

        with _worker():
            business_key = ours.key()
            ended = self._ends.expect(business_key)
            found = str(start(self._saga, business_key))
            assert ended.wait(_PATIENCE_SECONDS), "the saga did not end"
        return found


@contextmanager
def _worker() -> Iterator[None]:
    from bandstand.lifecycle import start_loops

    worker = start_loops(["sagas"])
    try:
        yield
    finally:
        worker.drain(timedelta(seconds=5))


def claims(database: str, gates: list[str], dead: int, samples: int) -> Figures:
    """What a worker asks the database to find one saga that another process has started: in a clean table, and with
    *dead* rows that ended while an old transaction was open, which keeps them from being vacuumed.
    """
    shop.configure(database=database, sagas={"LOOK_EVERY": _LOOKS_EVERY})
    templates = _Templates()
    recorder = _Recorder()
    clean = _claim_ms(recorder, database, gates[0], samples)
    finished, live = templates.finished(), templates.live()
    with psycopg.connect(database) as old, psycopg.connect(database, autocommit=True) as connection:
        old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        old.execute("SELECT count(*) FROM pg_class")
        filling.copy(database, live, dead)
        connection.execute(filling.ending_of_copies(), [finished])
        held = _claim_ms(recorder, database, gates[1], samples)
        sizes = filling.sizes(connection)
        old.rollback()
    return {"clean_ms": clean, "held_ms": held, "held_over_clean": round(held / clean, 2), **sizes}


def starter(database: str, gate: str, samples: int) -> Figures:
    """Start so many sagas that find no worker in this process."""
    from benchmarks.report import Gate

    shop.configure(database=database)
    templates, entrance = _Templates(), Gate(gate)
    entrance.wait()
    for _ in range(samples):
        templates.live()
        time.sleep(_STARTS_EVERY)
    return {}


def _claim_ms(recorder: "_Recorder", database: str, gate: str, samples: int) -> float:
    live = filling.live_sagas()
    with _worker():
        recorder.statements.clear()
        with workers("starter", {"database": database, "gate": gate, "samples": samples}, 1, of="bench_saga_growth"):
            time.sleep(samples * _STARTS_EVERY)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while live.all().exists():
            assert time.monotonic() < deadline, f"{live.count()} sagas are left"
            time.sleep(0.05)
    found = [*recorder.claims()]
    assert len(found) >= samples / 4, f"{len(found)} claims of {samples} sagas"  # a slow one finds several
    return round(median(found) * 1e3, 3)


class _Recorder:
    """Notes the statements of all threads but this one, which are the worker's."""

    def __init__(self) -> None:
        from django.db.backends.signals import connection_created

        self.statements: list[tuple[float, float, str]] = []
        self._main = threading.get_ident()
        connection_created.connect(self._watch, weak=False)

    def _watch(self, connection: Any, **_: Any) -> None:
        if threading.get_ident() != self._main and self._note not in connection.execute_wrappers:
            connection.execute_wrappers.append(self._note)

    def _note(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        began = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            self.statements.append((began, time.perf_counter() - began, sql))

    def claims(self) -> Iterator[float]:
        """Seconds of each claim: what is asked from waking up, or the last write, to the rows that are locked."""
        seconds = ended = 0.0
        for began, took, sql in self.statements:
            if began - ended > _SLEEP_SECONDS:
                seconds = 0.0
            seconds, ended = seconds + took, began + took
            if "SKIP LOCKED" in sql:
                yield seconds
            if not sql.lstrip().startswith("SELECT") or "SKIP LOCKED" in sql:
                seconds = 0.0
