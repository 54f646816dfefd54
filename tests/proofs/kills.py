"""Runners are killed during 2,000 orders of which the provider mistreats one in ten: `python -m tests.proofs.kills`.

The replicas of orders die by SIGKILL after random pauses, one or both, and at every crash point of the order saga. Then
every order must have ended within a minute of the last fault, and every invariant of the audit hold, also against what
the customers wrote down.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.report import machine, write

from bandstand.chaos.audit import pending
from bandstand.chaos.audit.facts import Saga
from bandstand.clock import monotonic
from tests.fleet.shops import Shop
from tests.fleet.test_crash_points import FORWARD, SAGA, WHEN
from tests.fleet.test_recovery import SERVICES
from tests.fleet_unit.fleets import until
from tests.proofs import books
from tests.proofs.buyers import MISBEHAVING, buyers, method_of

__all__ = ["EVERY_POINT", "TO_END_SECONDS", "Plan", "play", "stage"]

_UNDONE = ("reserve_stock", "capture_payment")
EVERY_POINT = (
    *(f"{SAGA}.{step}.do.{when}#3" for step in FORWARD for when in WHEN),
    *(f"{SAGA}.{step}.undo.{when}" for step in _UNDONE for when in WHEN),
)
TO_END_SECONDS = 60
_TO_START_SECONDS = 300
"""Crash points may meet those that have just started, one after another; no promise is about this."""

RUNNERS = ("orders-1", "orders-2")
_VICTIMS = (RUNNERS[:1], RUNNERS[1:], RUNNERS)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How hard it gets. The same seed kills the same replicas after the same pauses."""

    orders: int = 2_000
    customers: int = 12
    seed: int = 1
    pauses: tuple[float, float] = (1.0, 5.0)
    """How long all runners are left at work, in seconds."""
    points: tuple[str, ...] = EVERY_POINT


@contextmanager
def stage(plan: Plan, folder: Path, *, twice: tuple[str, ...]) -> Iterator[Shop]:
    """A shop on PostgreSQL and Valkey with two replicas of each service of *twice*."""
    shop = Shop(folder, profile="production-like", bus="valkey", replicas=dict.fromkeys(twice, 2))
    try:
        shop.up(BANDSTAND_CRASH_AT=",".join(plan.points))
        yield shop
    finally:
        shop.down()


def play(plan: Plan, shop: Shop) -> dict[str, Any]:
    """Let customers order and kill runners meanwhile; what was counted.

    Raises AssertionError when a customer fails, an order does not end in time, or an invariant does not hold.
    """
    dice, began = random.Random(plan.seed), monotonic()
    kills: Counter[str] = Counter()
    journal = shop.folder / "journal.jsonl"
    with buyers(shop, orders=plan.orders, size=plan.customers, journal=journal) as (found, threads):
        while any(thread.is_alive() for thread in threads):
            _wait(threads, seconds=dice.uniform(*plan.pauses))
            kills += _kill(shop, dice.choice(_VICTIMS))
    kills += _kill(shop, RUNNERS)
    placed, last_fault, status = monotonic() - began, monotonic(), shop.status
    assert found.failures == []
    until(lambda: not _unfinished(status), seconds=TO_END_SECONDS, what="the end of every order", pause=0.3)
    ended_after = monotonic() - last_fault
    shop.audit(journal=journal)
    return {
        "kills": dict(sorted(kills.items())) | {"total": kills.total()},
        "crashes_at_points": len(died_at(shop)),
        "orders": _orders(plan, status),
        "taken_over": sum(saga.epoch > 1 for saga in books.rows(status, "orders", Saga)),
        "all_placed_after_seconds": round(placed),
        "all_ended_after_last_fault_seconds": round(ended_after, 1),
        "broken_invariants": 0,
    }


def died_at(shop: Shop) -> set[str]:
    """The crash points at which a process has died."""
    return {path.name for path in (shop.data / "crash").iterdir()}


def _kill(shop: Shop, victims: tuple[str, ...]) -> Counter[str]:
    """SIGKILL to these runners, once all are at work: who kills those that start only keeps the shop closed."""
    runners = until(lambda: _ready(shop), seconds=_TO_START_SECONDS, what="all runners at work", pause=0.3)
    kills: Counter[str] = Counter()
    for name in victims:
        with suppress(ProcessLookupError):  # it has just met a crash point
            os.kill(runners[name], signal.SIGKILL)
            kills[name] += 1
    return kills


def _ready(shop: Shop) -> dict[str, int]:
    """The pid of each runner; nothing unless all are there."""
    workers = [each for each in shop.status["processes"] if each["role"] == "worker" and each["state"] == "ready"]
    found = {each["name"]: each["pid"] for each in workers if each["name"] in RUNNERS}
    return found if len(found) == len(RUNNERS) else {}


def _wait(threads: list[threading.Thread], *, seconds: float) -> None:
    end = monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, end - monotonic()))


def _unfinished(status: dict[str, Any]) -> dict[str, int]:
    return {what: count for what, count in pending(status).items() if what in ("live sagas", "pending orders")}


def _orders(plan: Plan, status: dict[str, Any]) -> dict[str, Any]:
    misbehaving = sum(method_of(number) in MISBEHAVING for number in range(plan.orders))
    ends = Counter(books.order_states(status).values())
    return {"placed": plan.orders, "misbehaving_provider": misbehaving, "ends": dict(sorted(ends.items()))}


def main() -> int:
    """Play the long form on two replicas of every service and keep what was counted."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.kills", description=__doc__)
    parser.add_argument("--orders", type=int, default=Plan.orders)
    parser.add_argument("--customers", type=int, default=Plan.customers)
    parser.add_argument("--seed", type=int, default=Plan.seed)
    plan = Plan(**vars(parser.parse_args()))
    with (
        tempfile.TemporaryDirectory(prefix="bandstand-kills-") as folder,
        stage(plan, Path(folder), twice=tuple(SERVICES)) as shop,
    ):
        found = play(plan, shop)
    planned = {**asdict(plan), "points": len(plan.points)}
    result = {"machine": machine(), "plan": planned, **found}
    if plan.orders >= Plan.orders:
        write("killed-runners", result)
    else:
        print(result)
    return 0 if found["crashes_at_points"] == len(plan.points) else 1


if __name__ == "__main__":
    sys.exit(main())
