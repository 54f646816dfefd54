"""A chain of five Celery tasks, carried by two worker processes."""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.messaging import servers
from benchmarks.report import ROOT, Figures
from benchmarks.sagas import shop
from benchmarks.sagas.loop import closed_loop

_APP = "benchmarks.sagas.celery_app"
_TO_START_SECONDS, _PATIENCE_SECONDS = 40, 30


@contextmanager
def worker(broker: str, replies: str) -> Iterator[None]:
    """A worker with two processes, once it answers; its queue is emptied afterwards: clients declare it only once."""
    _point(broker, replies)
    command = [sys.executable, "-m", "celery", "-A", _APP, "worker", "-c", "2", "-l", "ERROR"]
    process = subprocess.Popen([*command, "--without-gossip", "--without-mingle"], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        _run_one(timeout=_TO_START_SECONDS)
        yield
    finally:
        process.terminate()
        process.wait(20)
        from benchmarks.sagas.celery_app import QUEUE

        with servers.connect(broker) as connection:
            connection.channel().queue_purge(QUEUE)


def celery_chain(broker: str, replies: str, clients: int, seconds: float) -> Figures:
    """A closed loop: each client sends a chain and waits for the reply of its last task."""
    _point(broker, replies)
    _run_one()  # Celery imports itself piece by piece, which threads must not do at once
    found = closed_loop(_run_one, clients=clients, seconds=seconds)
    del found["cpu_ms_per_saga"]  # the tasks run elsewhere
    return found


def _point(broker: str, replies: str) -> None:
    os.environ.update({"BENCH_BROKER": broker, "BENCH_REPLIES": replies})


def _run_one(timeout: float = _PATIENCE_SECONDS) -> None:
    from celery import chain

    from benchmarks.sagas.celery_app import last, replies, step

    first, *others = shop.STEPS
    reply_to = uuid.uuid4().hex
    tasks: list[Any] = [step.s(shop.CONTEXT, first), *(step.s(name) for name in others[:-1])]
    chain(*tasks, last.s(others[-1], reply_to)).apply_async()
    began = time.monotonic()
    assert replies.blpop([reply_to], timeout=timeout), f"no reply after {time.monotonic() - began:.0f} s"
