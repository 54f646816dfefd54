"""Ours: clients and worker in one process, and workers that find a backlog."""

import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Any

from benchmarks.report import Figures, Gate
from benchmarks.sagas import shop
from benchmarks.sagas.loop import closed_loop

_PATIENCE_SECONDS = 60
_serial = count()


class Ends:
    """Who waits for the end of which saga, by its business key."""

    def __init__(self) -> None:
        self._waiting: dict[str, threading.Event] = {}

    def expect(self, key: str) -> threading.Event:
        """What will be set when the end of the saga is durable."""
        self._waiting[key] = threading.Event()
        return self._waiting[key]

    def announce(self, key: str) -> None:
        """The saga has ended; a backlog's are expected by nobody."""
        if waiting := self._waiting.pop(key, None):
            waiting.set()


def declare(*, steps: int = len(shop.STEPS), padding: int = 0, ends: Ends | None = None) -> type[Any]:
    """The saga, once in a process and when Django is ready; who waits for its end is told behind the commit.

    Its steps are remote ones, so each is durable before the next begins.
    """
    from django.db import transaction

    from bandstand.sagas import Saga, SagaStep, StepCall, StepKind

    names = [shop.STEPS[number % 5] + (f"_{number // 5}" if number >= 5 else "") for number in range(steps)]
    first_context = shop.CONTEXT | ({"padding": "x" * padding} if padding else {})

    def do(name: str, _: StepCall) -> Mapping[str, Any]:
        return shop.act(name, {})

    def undo(_: StepCall) -> None:
        return None

    before = [SagaStep(name, do=partial(do, name), undo=undo) for name in names[:-1]]
    pivot = SagaStep(names[-1], do=partial(do, names[-1]), kind=StepKind.PIVOT)

    class OrderProcessing(Saga):
        name = "order_processing"
        steps = (*before, pivot)

        def begin(self, event: Any) -> tuple[str, Mapping[str, Any]]:
            return str(event), first_context

        if ends is not None:

            def ended(self, execution: Any) -> None:
                assert str(execution.status) == "completed", execution.status
                transaction.on_commit(partial(ends.announce, execution.business_key))

    return OrderProcessing


def key() -> str:
    """A new business key."""
    return f"order-{time.time_ns()}-{next(_serial)}"


def ours(database: str, clients: int, seconds: float, steps: int = 5, padding: int = 0) -> Figures:
    """A closed loop: each client's `start` commits a saga that is born leased to the worker beside it."""
    shop.configure(database=database, connections=clients + 16)
    ends = Ends()
    saga = declare(steps=steps, padding=padding, ends=ends)
    from bandstand.lifecycle import start_loops
    from bandstand.sagas import start

    def one() -> None:
        business_key = key()
        ended = ends.expect(business_key)
        start(saga, business_key)
        assert ended.wait(_PATIENCE_SECONDS), "a saga did not end"

    worker = start_loops(["sagas"])
    found = closed_loop(one, clients=clients, seconds=seconds)
    worker.drain(timedelta(seconds=5))
    return found


def first(database: str) -> Figures:
    """Start one saga without a worker; its id."""
    shop.configure(database=database)
    from bandstand.sagas import start

    return {"saga": str(start(declare(), key()))}


def work(database: str, gate: str) -> Figures:
    """A worker of a process of its own, until the gate is closed."""
    shop.configure(database=database)
    declare()
    from bandstand.lifecycle import start_loops

    entrance = Gate(gate)
    entrance.wait()
    worker = start_loops(["sagas"])
    while not entrance.is_closed():
        time.sleep(0.02)
    worker.drain(timedelta(seconds=5))
    return {}
