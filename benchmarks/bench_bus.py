"""P15: the embedded bus, between processes, every accepted event durable (`synchronous=FULL`).

    python benchmarks/bench_bus.py [--rounds 3] [--seconds 3]

Latency is from the call of `publish` in one process to the delivery in another, at 200 events a second with two groups
in a process each. Throughput is counted where the events arrive. `through the outbox` is the whole way of a service:
COMMIT of a transaction with an event, relay, bus, inbox, handler, in three processes.
"""

import argparse
import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

RESULT = Path(__file__).parent / "results" / "bus.json"
EVENT = "shop.fact_noted.v1"
BODY = '{"specversion":"1.0","source":"shop","data":{"order_id":"%s","total":12900,"lines":[1,2,3]},"at":%.6f}'


def percentiles(latencies: list[float]) -> dict[str, float]:
    """p50 and p99 in milliseconds, the first tenth left out as warming up."""
    kept = sorted(latencies[len(latencies) // 10 :])
    return {"p50_ms": round(kept[len(kept) // 2] * 1e3, 2), "p99_ms": round(kept[int(len(kept) * 0.99)] * 1e3, 2)}


# -- the processes ----------------------------------------------------------------------------------------------------


def publish(folder: str, seconds: str, rate: str, at_once: str) -> None:
    """Publish at *rate* a second (0: as fast as it goes), so many at once, and print how many were accepted."""
    from bandstand.events.backends import Message, open_bus

    bus = open_bus(f"embedded:///{folder}/bus.sqlite3")
    wanted, batch, sent, started = float(rate), int(at_once), 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < float(seconds):
        if wanted and sent / wanted > elapsed:
            time.sleep(sent / wanted - elapsed)
        ids = [str(uuid4()) for _ in range(batch)]
        messages = [
            Message(event_id=each, type=EVENT, subject=str(sent % 50), body=BODY % (each, time.time())) for each in ids
        ]
        sent += len(bus.publish(messages).accepted)
    print(json.dumps({"sent": sent, "seconds": time.perf_counter() - started}), flush=True)


def read(folder: str, group: str) -> None:
    """Read for *group* until as many came as the input says were sent, or ten idle seconds pass; print latencies."""
    from bandstand.events.backends import open_bus

    bus = open_bus(f"embedded:///{folder}/bus.sqlite3")
    bus.register(group, [EVENT], from_beginning=True)
    waiter, subscription = bus.waiter(group), bus.subscribe(group)
    assert subscription is not None
    print("ready", flush=True)
    latencies: list[float] = []
    wanted: list[int] = []
    threading.Thread(target=lambda: wanted.append(int(sys.stdin.readline())), daemon=True).start()
    flushed = last = time.time()
    while time.time() - last < 10:
        deliveries = subscription.fetch(500)
        now = time.time()
        latencies += [now - float(each.message.body.rpartition(":")[2][:-1]) for each in deliveries]
        if now - flushed > 0.5:  # as the consumer loop does
            subscription.flush()
            flushed = now
        if deliveries:
            subscription.ack(deliveries[-1].position)
            last = now
        elif wanted and len(latencies) >= wanted[0]:
            break
        else:
            waiter.wait(timedelta(seconds=0.5))
    print(json.dumps({"count": len(latencies), "latencies": latencies}), flush=True)


def service(folder: str, name: str, role: str, seconds: str, rate: str) -> None:
    """One role of a service of its own: `publish` writes rows with an event, `relay` and `consumers` run the loop."""
    import django
    from django.conf import settings

    from bandstand.database import database_from_url

    settings.configure(
        INSTALLED_APPS=["bandstand.events"],
        DATABASES={"default": database_from_url(f"sqlite:///{folder}/{name}.sqlite3")},
        USE_TZ=True,
        BANDSTAND={"SERVICE": {"NAME": name}, "EVENTS": {"BUS_URL": f"embedded:///{folder}/bus.sqlite3"}},
        LOGGING_CONFIG=None,
    )
    django.setup()
    if role == "publish":
        _write_facts(float(seconds), float(rate))
        return
    if role == "migrate":
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        return
    _run_loop(role, f"{folder}/latencies.json")


def _fact() -> Any:
    from bandstand.events import Event

    class FactNoted(Event, name=EVENT, subject="order_id"):
        order_id: str
        total: int
        at: float

    return FactNoted


def _write_facts(seconds: float, rate: float) -> None:
    from django.db import transaction

    from bandstand.events import publish as publish_event

    fact, sent, started = _fact(), 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        if sent / rate > elapsed:
            time.sleep(sent / rate - elapsed)
        with transaction.atomic():
            publish_event(fact(order_id=str(sent % 50), total=12900, at=time.time()))
        sent += 1


def _run_loop(role: str, target: str) -> None:
    from bandstand.events import consumer
    from bandstand.lifecycle import start_loops

    latencies: list[float] = []
    if role == "consumers":
        consumer(_fact(), name="note")(lambda event, _: latencies.append(time.time() - event.at))
    worker = start_loops([role])
    print("ready", flush=True)
    sys.stdin.read()
    worker.drain(timedelta(seconds=5))
    if role == "consumers":
        Path(target).write_text(json.dumps(latencies))


# -- the measurements -------------------------------------------------------------------------------------------------


def start(*arguments: object) -> "subprocess.Popen[str]":
    """Start this file in one of its roles."""
    command = [sys.executable, __file__, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def said(process: "subprocess.Popen[str]") -> str:
    """The next line a role prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def bare_round(seconds: float) -> dict[str, Any]:
    """What this machine's disk allows at the moment: one INSERT a commit with the bare driver."""
    with tempfile.TemporaryDirectory(prefix="bench-bare-") as folder:
        database = sqlite3.connect(f"{folder}/bare.sqlite3", isolation_level=None)
        database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE log (body TEXT)")
        count, started = 0, time.perf_counter()
        while (took := time.perf_counter() - started) < seconds:
            database.execute("INSERT INTO log VALUES (?)", (BODY,))
            count += 1
        database.close()
    return {"commits_per_second": round(count / took)}


def bus_round(seconds: float, *, rate: float, at_once: int, groups: int) -> dict[str, Any]:
    """One publisher, some readers."""
    with tempfile.TemporaryDirectory(prefix="bench-bus-") as folder:
        readers = [start("read", folder, f"group-{number}") for number in range(groups)]
        assert [said(reader) for reader in readers] == ["ready"] * groups
        publisher = start("publish", folder, seconds, rate, at_once)
        sent = json.loads(said(publisher))
        for reader in readers:
            assert reader.stdin is not None
            reader.stdin.write(f"{sent['sent']}\n")
            reader.stdin.flush()
        found = [json.loads(said(reader)) for reader in readers]
        for process in (publisher, *readers):
            process.communicate()
    assert [each["count"] for each in found] == [sent["sent"]] * groups, "an event is missing, or came twice"
    latencies = [value for each in found for value in each["latencies"]]
    return {"events_per_second": round(sent["sent"] / sent["seconds"]), **percentiles(latencies)}


def outbox_round(seconds: float, *, rate: float) -> dict[str, Any]:
    """Publisher, relay and consumer in a process each."""
    with tempfile.TemporaryDirectory(prefix="bench-outbox-") as folder:
        for name in ("shop", "mirror"):
            start("service", folder, name, "migrate", 0, 0).communicate()
        loops = [start("service", folder, "shop", "relay", 0, 0), start("service", folder, "mirror", "consumers", 0, 0)]
        assert [said(loop) for loop in loops] == ["ready", "ready"]
        start("service", folder, "shop", "publish", seconds, rate).communicate()
        for loop in loops:
            loop.communicate()
        latencies = json.loads(Path(folder, "latencies.json").read_text())
        with sqlite3.connect(f"{folder}/shop.sqlite3") as database:
            (written,) = database.execute("SELECT count(*) FROM audit_outbox").fetchone()
    return {"written": written, "handled": len(latencies), **percentiles(latencies)}


def one_round(seconds: float) -> dict[str, dict[str, Any]]:
    """Everything once, side by side with what the disk allows at that moment."""
    return {
        "bare sqlite3, for comparison": bare_round(1.0),
        "latency at 200/s, two groups": bus_round(seconds, rate=200, at_once=1, groups=2),
        "flat out, one by one": bus_round(seconds, rate=0, at_once=1, groups=1),
        "flat out, 100 at once": bus_round(seconds, rate=0, at_once=100, groups=1),
        "through the outbox at 200/s": outbox_round(seconds, rate=200),
    }


def median_of(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of each figure, and all of them as the spread."""
    return {
        name: {"median": statistics.median(values), "rounds": values}
        for name in rounds[0]
        for values in [[each[name] for each in rounds]]
    }


def main() -> None:
    """Measure, print and write down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    rounds = [one_round(options.seconds) for _ in range(options.rounds)]
    result = {
        "goals": {"P15": "p99 <= 5 ms at 200/s over three processes; >= 4k events/s one by one; >= 25k/s batched"},
        "machine": {"system": platform.platform(), "cpus": os.cpu_count(), "python": platform.python_version()},
        "versions": {"django": version("django"), "sqlite": sqlite3.sqlite_version},
        **{name: median_of([each[name] for each in rounds]) for name in rounds[0]},
    }
    print(json.dumps(result, indent=2))
    RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    roles = {"publish": publish, "read": read, "service": service}
    if sys.argv[1:] and sys.argv[1] in roles:
        roles[sys.argv[1]](*sys.argv[2:])
    else:
        main()
