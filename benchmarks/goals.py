"""What the last results of the benchmarks of events and sagas say about their goals: `python -m benchmarks.goals`.

Prints the lines for the table of README.md; the sentence about what was missed, and why, is for a person to write.
"""

# ruff: noqa: RUF001 - the table speaks of times with the sign for it

import json
from collections.abc import Iterator
from typing import Any

from benchmarks.report import RESULTS

Line = tuple[str, str, str, bool]


def result(name: str) -> dict[str, Any]:
    """The last result of a script."""
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def median(found: dict[str, Any], *path: str) -> float:
    """A median within a result."""
    for key in (*path, "median"):
        found = found[key]
    return found  # type: ignore[return-value]


def relay() -> Line:
    found = result("relay")["compared"]
    peer = median(found, "postgresql, times django-outbox-pattern")
    limit = median(found, "postgresql, of the limit")
    sqlite = median(found, "sqlite, times django-outbox-pattern")
    goal = "P11 relay to RabbitMQ, confirmed ≥ 15× django-outbox-pattern, ≥ 30 % of the raw limit; SQLite ≥ 10×"
    return goal, "relay", f"{peer:.1f}×; {limit:.0%}; {sqlite:.1f}×", peer >= 15 and limit >= 0.3 and sqlite >= 10


def latency() -> Line:
    found = result("latency")
    way = "postgresql to rabbitmq, received, 500/s"
    p50, p99 = median(found, "ways", way, "p50_ms"), median(found, "ways", way, "p99_ms")
    times = median(found, "compared", "times below django-outbox-pattern")
    goal = "P12 commit to delivery at 500/s p50 ≤ 5 ms, p99 ≤ 15 ms; ≥ 100× below django-outbox-pattern's median"
    return goal, "latency", f"{p50:.1f} ms, {p99:.1f} ms; {times:.0f}×", p50 <= 5 and p99 <= 15 and times >= 100


def outbox() -> Line:
    found = result("outbox")
    cost = "time with event / row only"
    postgresql, sqlite = (median(found, "compared", name, cost) - 1 for name in ("postgresql", "sqlite"))
    kept = median(found, "postgresql, 32 writers", "kept")
    goal = "P13 an event adds ≤ 50 % to its transaction; 32 writers ≥ 95 % of the rate without wake-ups"
    measured = f"PostgreSQL +{postgresql:.0%}, SQLite +{sqlite:.0%}; {kept:.0%}"
    return goal, "outbox", measured, max(postgresql, sqlite) <= 0.5 and kept >= 0.95


def consumers() -> Line:
    found = result("consumers")["compared"]
    batch = median(found, "batch handler, times the articles")
    each = median(found, "any handler, times the articles")
    goal = "P14 consumer with inbox: batch handler ≥ 15× the articles' style, any handler ≥ 3×"
    return goal, "consumers", f"{batch:.1f}×; {each:.1f}×", batch >= 15 and each >= 3


def growth() -> Line:
    found = result("growth")["questions"]
    reader, writer = (
        median(found, f"old {who}, postgresql", "held_over_clean") for who in ("reader", "writer of events")
    )
    goal = "P17 a claim with 100,000 dead rows pinned by an old reader ≤ 1.5× clean; by an old writer of events"
    return goal, "growth", f"{reader:.1f}×; {writer:.0f}×", reader <= 1.5


def sagas() -> Line:
    found = result("sagas")
    compared, at_64 = (
        found["compared"],
        found["sides"]["bandstand, postgresql"]["transactions_per_saga at 64"]["median"],
    )
    dbos = [median(compared, f"times dbos at {level}") for level in (1, 8, 64)]
    articles = median(compared, "times the articles at 1")
    chain, restate = median(compared, "times celery at 8"), median(compared, "times restate at 8")
    goal = (
        "P16 sagas of 5 steps ≥ 3× DBOS at 1, ≥ 7× at 8, ≥ 20× at 64; ≤ 1.5 transactions a saga at 64;"
        " ≥ 1× the articles' at 1; ≥ 4× a Celery chain, ≥ 3× Restate at 8"
    )
    measured = (
        f"{dbos[0]:.1f}×, {dbos[1]:.1f}×, {dbos[2]:.1f}×; {at_64:.1f}; {articles:.1f}×; {chain:.1f}×, {restate:.1f}×"
    )
    is_faster = all(times >= wanted for times, wanted in zip(dbos, (3, 7, 20), strict=True))
    return goal, "sagas", measured, is_faster and at_64 <= 1.5 and articles >= 1 and chain >= 4 and restate >= 3


def saga_growth() -> Line:
    found = result("saga_growth")
    shares = [median(found, "compared", f"full over empty at {level}") for level in (1, 8)]
    index = median(found, "variants", "finished 1_000_000", "live_index_bytes")
    claim = median(found, "variants", "claim with 100_000 dead rows", "held_over_clean")
    goal = (
        "P17 sagas beside a million that have ended ≥ 95 % of the speed of an empty table; index of live rows < 1 MB;"
        " a claim with 100,000 dead rows pinned ≤ 1.5× clean"
    )
    measured = f"{shares[0]:.0%} at 1, {shares[1]:.0%} at 8; {index / 1e6:.1f} MB; {claim:.1f}×"
    return goal, "saga_growth", measured, min(shares) >= 0.95 and index < 1e6 and claim <= 1.5


def lines() -> Iterator[str]:
    """The table's lines."""
    for each in (relay, latency, outbox, consumers, growth, sagas, saga_growth):
        try:
            goal, script, measured, is_reached = each()
        except FileNotFoundError:
            yield f"{each.__name__}: not measured yet"
            continue
        yield f"| {goal} | `{script}` | {measured} | {'reached' if is_reached else 'missed'} |"


if __name__ == "__main__":
    print("\n".join(lines()))
