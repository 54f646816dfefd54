"""How cost grows: each question is asked in a process of its own, on little and on much. Rates are events a second."""

import resource
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from statistics import median
from typing import Any

from benchmarks.messaging import servers, shop
from benchmarks.messaging.relays import SINK, fill

_SUBJECTS = 1_000
_PER_POSTGRESQL = (
    "INSERT INTO bandstand_events_outbox (event_id, type, subject, envelope, created_at, slot, attempts, reason)"
    " SELECT gen_random_uuid(), '{key}', (n % {subjects})::text, '{envelope}', now(), n % 64, 0, ''"
    " FROM generate_series(1, {count}) n"
)
_PER_SQLITE = (
    "INSERT INTO bandstand_events_outbox (event_id, type, subject, envelope, created_at, slot, attempts, reason)"
    " WITH RECURSIVE series (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < {count})"
    " SELECT lower(hex(randomblob(16))), '{key}', n % {subjects}, '{envelope}', datetime('now'), n % 64, 0, ''"
    " FROM series"
)
_REMEMBERED = (
    "INSERT INTO bandstand_events_inbox (consumer, event_id, applied_at)"
    " SELECT 'mirror.note', (lpad(to_hex(1763700000000 + n / 1000), 12, '0') || '7'"
    " || substr(md5(n::text), 1, 19))::uuid, now() FROM generate_series(1, {count}) n"
)


def backlog(database: str, bus: str, count: int, sample: int) -> dict[str, Any]:
    """A relay that was away while *count* events gathered: the first and the last *sample* of them, beside an empty
    outbox with as many. What lies between is moved by the relay's own statement, many batches at once.
    """
    relay = _relay(database, bus)
    found = {"empty": _drained(relay, sample, filled_by=fill)}
    _fill_much(count)
    found["first"] = {"claim_ms": _claim_ms(relay), **_drained(relay, sample)}
    _move_all_but(relay, sample)
    found["last"] = {"claim_ms": _claim_ms(relay), **_drained(relay, sample)}
    rates = {name: each["events_per_second"] for name, each in found.items()}
    return _flat(found) | {
        "first_over_empty": round(rates["first"] / rates["empty"], 2),
        "last_over_first": round(rates["last"] / rates["first"], 2),
        "peak_mib": _peak_mib(),
    }


def _relay(database: str, bus: str) -> Any:
    shop.configure(database=database, bus=bus)
    shop.migrate()
    from bandstand.config import section
    from bandstand.events.backends import current_bus
    from bandstand.events.config import EventsConfig
    from bandstand.events.relay import Relay

    current_bus().register(SINK, [servers.KEY], from_beginning=True)
    return Relay(current_bus(), section(EventsConfig))


def _drained(relay: Any, count: int, *, filled_by: Callable[[int], None] | None = None) -> dict[str, float]:
    if filled_by is not None:
        filled_by(count)
    moved, started = 0, time.perf_counter()
    while moved < count:
        moved += relay.run_once()
    relay.mark()
    return {"events_per_second": round(moved / (time.perf_counter() - started))}


def _claim_ms(relay: Any, *, times: int = 9) -> float:
    """What it costs to read the next batch."""
    durations = []
    for _ in range(times):
        started = time.perf_counter()
        assert relay._outbox.pending(500, without=())
        durations.append(time.perf_counter() - started)
    return round(median(durations) * 1e3, 2)


def _fill_much(count: int) -> None:
    from django.db import connection

    statement = _PER_POSTGRESQL if connection.vendor == "postgresql" else _PER_SQLITE
    text = statement.format(key=servers.KEY, subjects=_SUBJECTS, envelope=shop.envelope(1)[1], count=count)
    _execute_long(text)


def _execute_long(statement: str, *afterwards: str) -> None:
    """Run a statement that takes its time, and what it left for the server to do."""
    from django.db import connection

    connection.ensure_connection()
    bare = connection.connection
    if connection.vendor == "postgresql":
        bare.execute("SET statement_timeout = 0")
        afterwards = (*afterwards, "CHECKPOINT")
    for each in (statement, *afterwards):
        bare.execute(each)


def _move_all_but(relay: Any, sample: int) -> None:
    from django.db import connection, transaction

    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM bandstand_events_outbox ORDER BY id")
        ids = [row_id for (row_id,) in cursor.fetchall()][:-sample]
    for at in range(0, len(ids), 10_000):
        with transaction.atomic():
            relay._outbox.move(ids[at : at + 10_000])


def _flat(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {f"{name}_{figure}": value for name, each in found.items() for figure, value in each.items()}


def _peak_mib() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def held(database: str, bus: str, count: int, by: str) -> dict[str, Any]:
    """Reading one new event while an old transaction is open behind which *count* events went through."""
    relay = _relay(database, bus)
    import psycopg

    clean = _claim_one_ms(relay)
    with psycopg.connect(database) as old:
        old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        old.execute("SELECT count(*) FROM bandstand_events_outbox")
        if by == "writer":
            old.execute(
                "INSERT INTO bandstand_events_outbox (event_id, type, subject, envelope, created_at, slot)"
                " VALUES (gen_random_uuid(), 'x', 'x', '{}', now(), 0)"
            )
        _fill_much(count)
        moved = 0
        while moved < count:
            moved += relay.run_once()
        relay.mark()
        until = time.monotonic() + 3  # the low water is looked after once a second
        while time.monotonic() < until:
            relay.run_once()
            time.sleep(0.1)
        dirty = _claim_one_ms(relay)
        old.rollback()
    return {"clean_ms": clean, "held_ms": dirty, "held_over_clean": round(dirty / clean, 2)}


def _claim_one_ms(relay: Any) -> float:
    durations = []
    for _ in range(25):
        fill(1)
        started = time.perf_counter()
        (row,) = relay._outbox.pending(500, without=())
        durations.append(time.perf_counter() - started)
        relay._outbox.move([row.id])
    return round(median(durations) * 1e3, 3)


def remembered(database: str, bus: str, count: int, sample: int) -> dict[str, Any]:
    """Applying *sample* events, new ones and then the same again, with an empty inbox and with *count* rows in it."""
    shop.configure(database=database, bus=bus, name="mirror")
    shop.migrate()
    calls = Calls(1)
    calls.declare()
    found = {"empty": _applied_twice(calls, sample)}
    _execute_long(_REMEMBERED.format(count=count), "VACUUM ANALYZE bandstand_events_inbox")
    found["full"] = _applied_twice(calls, sample)
    return _flat(found) | {
        "new_full_over_empty": round(found["full"]["new"] / found["empty"]["new"], 2),
        "again_full_over_empty": round(found["full"]["again"] / found["empty"]["again"], 2),
        "peak_mib": _peak_mib(),
    }


class Calls:
    """What the consumers of this process were called for; a last event says that all before it were handled."""

    LAST = -1

    def __init__(self, consumers: int) -> None:
        self._consumers = consumers
        self._ended = 0
        self.count = 0
        self.all_ended = threading.Event()

    def declare(self) -> None:
        """Let there be so many consumers that do next to nothing."""
        from bandstand.events import consumer

        event = shop.order_noted()
        for number in range(self._consumers):
            consumer(event, name="note" if self._consumers == 1 else f"note_{number}")(self._note)

    def _note(self, event: Any, _: Any) -> None:
        self.count += 1
        if event.order_id == str(self.LAST):
            self._ended += 1
            if self._ended == self._consumers:
                self._ended = 0
                self.all_ended.set()


def _applied_twice(calls: Calls, sample: int) -> dict[str, float]:
    messages = _messages(sample, _SUBJECTS)
    return {"new": _consumed(calls, messages), "again": _consumed(calls, messages)}


def _messages(count: int, subjects: int) -> list[Any]:
    from bandstand.events.backends import Message

    made = [shop.envelope(number % subjects, sequence=number + 1) for number in range(count)]
    return [
        Message(event_id=id_, type=servers.KEY, subject=str(number % subjects), body=text)
        for number, (id_, text) in enumerate(made)
    ]


def _consumed(calls: Calls, messages: list[Any]) -> float:
    """How fast the consumers' loop takes *messages* that lie on the bus."""
    from bandstand.events.backends import Message, current_bus
    from bandstand.lifecycle import start_loops

    bus = current_bus()
    bus.register("mirror", [servers.KEY], from_beginning=True)
    id_, text = shop.envelope(Calls.LAST, sequence=1)
    last = Message(event_id=id_, type=servers.KEY, subject=str(Calls.LAST), body=text)
    for at in range(0, len(messages), 500):
        bus.publish(messages[at : at + 500])
    bus.publish([last])
    calls.all_ended.clear()
    started = time.perf_counter()
    worker = start_loops(["consumers"])
    assert calls.all_ended.wait(60)
    took = time.perf_counter() - started
    worker.drain(timedelta(seconds=5))
    return round(len(messages) / took)


def fan_out(database: str, bus: str, consumers: int, sample: int) -> dict[str, Any]:
    """One service with so many consumers of one event; applied is an event for a consumer."""
    shop.configure(database=database, bus=bus, name="mirror")
    shop.migrate()
    calls = Calls(consumers)
    calls.declare()
    rate = _consumed(calls, _messages(sample, _SUBJECTS))
    assert calls.count == consumers * (sample + 1), calls.count
    return {"applied_per_second": round(rate * consumers), "peak_mib": _peak_mib()}


def groups(bus: str, groups: int, sample: int) -> dict[str, Any]:
    """Publishing to a bus with so many services that listen, a hundred events at once."""
    from bandstand.events.backends import open_bus

    opened = open_bus(bus)
    for number in range(groups):
        opened.register(f"group-{number}", [servers.KEY], from_beginning=True)
    messages = _messages(sample, _SUBJECTS)
    started = time.perf_counter()
    for at in range(0, sample, 100):
        opened.publish(messages[at : at + 100])
    return {"events_per_second": round(sample / (time.perf_counter() - started)), "peak_mib": _peak_mib()}


def keys(database: str, bus: str, subjects: int, sample: int) -> dict[str, Any]:
    """Consuming events of so many subjects."""
    shop.configure(database=database, bus=bus, name="mirror")
    shop.migrate()
    calls = Calls(1)
    calls.declare()
    return {"events_per_second": _consumed(calls, _messages(sample, subjects)), "peak_mib": _peak_mib()}


def payload(database: str, bus: str, size: int, sample: int) -> dict[str, Any]:
    """Relaying events of so many bytes."""
    relay = _relay(database, bus)
    from bandstand.events.models import OutboxRow

    idle = _peak_mib()
    padding = f',"padding":"{"x" * size}"'
    fill(sample)
    for row in OutboxRow.objects.all().iterator(chunk_size=10):
        OutboxRow.objects.filter(pk=row.pk).update(envelope=row.envelope[:-1] + padding + "}")
    rate = _drained(relay, sample)["events_per_second"]
    return {
        "events_per_second": rate,
        "mib_per_second": round(rate * size / 2**20, 1),
        "memory_added_mib": _peak_mib() - idle,
    }
