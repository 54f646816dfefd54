"""Transactions of a service: a business row, alone or with an event. Run in processes of their own."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from unittest.mock import patch

from benchmarks.messaging import shop
from benchmarks.messaging.servers import KEY
from benchmarks.report import Gate

ROW, OURS, SILENT = "row only", "row and event", "row and event, no wake-up"
DOP, BY_HAND, IN_TRANSACTION = "row and django-outbox-pattern", "row and outbox by hand", "row and event, own NOTIFY"


def transactions() -> dict[str, Callable[[int], None]]:
    """What is measured, by name; Django is set up."""
    from django.db import connection, transaction
    from django_outbox_pattern.models import Published

    from bandstand import clock
    from bandstand.events import publish
    from benchmarks.messaging.orders.models import Order, Pending

    event = shop.order_noted()

    def row(number: int) -> None:
        Order.objects.create(user_id=number, total=19990)

    def ours(number: int) -> None:
        row(number)
        publish(event(**shop.facts(number)))

    def notifying(number: int) -> None:
        ours(number)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify('bandstand_bench', '')")

    def dop(number: int) -> None:
        row(number)
        Published.objects.create(destination=f"/exchange/amq.topic/{KEY}", body=shop.facts(number))

    def by_hand(number: int) -> None:
        row(number)
        Pending.objects.create(event_id=clock.uuid7(), routing_key=KEY, body=json.dumps(shop.facts(number)))

    found = {ROW: row, OURS: ours, SILENT: ours, DOP: dop, BY_HAND: by_hand}
    if connection.vendor == "postgresql":
        found[IN_TRANSACTION] = notifying
    return {name: transaction.atomic(write) for name, write in found.items()}


def write_for(name: str, write: Callable[[int], None], until: float) -> list[float]:
    """Repeat one kind of transaction; how long each took."""
    from bandstand.events import wakeups

    durations = []
    with (
        patch.object(wakeups, "wake", lambda _: None) if name == SILENT else patch.object(wakeups, "wake", wakeups.wake)
    ):
        while (begun := time.perf_counter()) < until:
            write(len(durations))
            durations.append(time.perf_counter() - begun)
    return durations


def prepare(database: str) -> dict[str, int]:
    """Make the tables."""
    shop.configure(database=database, stomp=1)
    shop.migrate()
    return {}


def alone(database: str, seconds: float) -> dict[str, dict[str, float]]:
    """One writer: all kinds in short turns, so that what the machine does meanwhile meets all of them."""
    shop.configure(database=database, stomp=1)
    shop.migrate()
    kinds = transactions()
    durations: dict[str, list[float]] = {name: [] for name in kinds}
    for turn in range(7):
        for name, write in kinds.items():
            found = write_for(name, write, time.perf_counter() + (seconds / 6 if turn else 0.05))
            durations[name] += found if turn else []
    return {
        name: {
            "commits_per_second": round(len(found) / sum(found)),
            "p50_ms": round(sorted(found)[len(found) // 2] * 1e3, 3),
            "p99_ms": round(sorted(found)[int(len(found) * 0.99)] * 1e3, 3),
        }
        for name, found in durations.items()
    }


def crowd(database: str, threads: int, gate: str, turn: float, turns: int) -> dict[str, int]:
    """Some of many writers, as threads: with and without wake-ups in turns by the clock of the machine."""
    shop.configure(database=database, stomp=1)
    kinds = transactions()
    kinds[OURS](0)
    start = Gate(gate).wait()
    names = (OURS, SILENT)
    counts: Counter[str] = Counter(dict.fromkeys(names, 0))
    current = [SILENT]

    def work() -> None:
        from django.db import connection

        write, number, mine = kinds[OURS], 0, Counter[str]()
        while (now := time.time()) < start + turns * turn:
            place, into = divmod(now - start, turn)
            name = names[int(place) % 2]
            write(number)
            number += 1
            if now > start and into > turn / 10:  # the first tenth belongs to what the other turn left to do
                mine[name] += 1
        counts.update(mine)
        connection.close()

    _follow_turns(work, threads, current, start=start, turn=turn, names=names)
    return dict(counts)


def _follow_turns(
    work: Callable[[], None], threads: int, current: list[str], *, start: float, turn: float, names: tuple[str, str]
) -> None:
    """Run the writers while this thread switches wake-ups on and off."""
    from bandstand.events import wakeups

    really = wakeups.wake
    with patch.object(wakeups, "wake", lambda name: really(name) if current[0] == OURS else None):
        writers = [threading.Thread(target=work) for _ in range(threads)]
        for writer in writers:
            writer.start()
        while any(writer.is_alive() for writer in writers):
            current[0] = names[max(0, int((time.time() - start) // turn)) % 2]
            time.sleep(0.01)


def listen(database: str, gate: str, seconds: float) -> dict[str, int]:
    """Somebody whom the wake-ups reach, as the relay's process is."""
    shop.configure(database=database)
    from bandstand.events import wakeups

    waiter, count = wakeups.relay_waiter(), 0
    waiter.wait(timedelta(0))
    until = Gate(gate).wait() + seconds
    while time.time() < until:
        waiter.wait(timedelta(seconds=0.2))
        count += 1
    waiter.close()
    return {"woken": count}
