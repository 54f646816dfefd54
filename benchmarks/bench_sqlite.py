"""P8: eight threads of one process writing to one SQLite file through Django's ORM.

    python benchmarks/bench_sqlite.py [--rounds 3] [--seconds 2.5]

Each transaction reads a row, inserts one and updates one: the pattern that must upgrade a lock. Each setting runs in a
process of its own. `django` is what `startproject` gives; `django tuned` is WAL, IMMEDIATE, FULL and a long timeout
without the fair lock, so that the table shows what each part buys.
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
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULT = Path(__file__).parent / "results" / "sqlite.json"
THREADS = 8
VARIANTS = ("django", "django tuned", "bandstand")


def database(variant: str, path: str) -> dict[str, Any]:
    """The entry of DATABASES."""
    from bandstand.database import database_from_url

    ours = database_from_url(f"sqlite:///{path}")
    return {
        "django": {"ENGINE": "django.db.backends.sqlite3", "NAME": path},
        "django tuned": {**ours, "ENGINE": "django.db.backends.sqlite3"},
        "bandstand": ours,
    }[variant]


def work(variant: str, folder: str, seconds: str) -> None:
    """Write from all threads and print what came of it."""
    import django
    from django.conf import settings

    settings.configure(
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
        DATABASES={"default": database(variant, f"{folder}/write.sqlite3")},
        USE_TZ=True,
    )
    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    User.objects.create(username="first", email="first@example.com")
    latencies: list[float] = []
    errors: list[str] = []
    threads = [
        threading.Thread(target=write, args=(number, float(seconds), latencies, errors)) for number in range(THREADS)
    ]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - started
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous")
        (synchronous,) = cursor.fetchone()
    assert User.objects.count() == len(latencies) + 1, "a write is missing"
    found = {"transactions_per_second": round(len(latencies) / took), "errors": len(errors), **spread(latencies)}
    print(json.dumps(found | {"synchronous": {0: "OFF", 1: "NORMAL", 2: "FULL"}[synchronous]}))


def spread(latencies: list[float]) -> dict[str, float]:
    """Median, tail and maximum in milliseconds."""
    ordered = sorted(latencies)
    places = {"p50_ms": len(ordered) // 2, "p99_ms": int(len(ordered) * 0.99), "slowest_ms": -1}
    return {name: round(ordered[place] * 1e3, 2) for name, place in places.items()}


def write(number: int, seconds: float, latencies: list[float], errors: list[str]) -> None:
    """One thread: requests one after another, as a server's thread runs them."""
    from django.contrib.auth.models import User
    from django.core.signals import request_finished, request_started
    from django.db import DatabaseError, connection, transaction

    deadline, count = time.perf_counter() + seconds, 0
    while (begun := time.perf_counter()) < deadline:
        request_started.send(None)
        try:
            with transaction.atomic():
                first = User.objects.get(username="first")
                User.objects.create(username=f"{number}-{count}", email=first.email)
                User.objects.filter(pk=first.pk).update(last_name=str(number))
            latencies.append(time.perf_counter() - begun)
        except DatabaseError as error:
            errors.append(str(error))
        request_finished.send(None)
        count += 1
    connection.close()


def one(variant: str, seconds: float) -> dict[str, Any]:
    """Run one variant in a process and a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="bench-sqlite-") as folder:
        command = [sys.executable, __file__, "work", variant, folder, str(seconds)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    """Measure in turns, print and write down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.5)
    options = parser.parse_args()
    rounds = [{variant: one(variant, options.seconds) for variant in VARIANTS} for _ in range(options.rounds)]
    ratios = [
        round(each["bandstand"]["transactions_per_second"] / each["django"]["transactions_per_second"], 1)
        for each in rounds
    ]
    names = [name for name in rounds[0]["django"] if name != "synchronous"]
    result = {
        "goals": {"P8": "0 lock errors, slowest write <= 100 ms, >= 8 times Django's defaults"},
        "machine": {"system": platform.platform(), "cpus": os.cpu_count(), "python": platform.python_version()},
        "versions": {"django": version("django"), "sqlite": sqlite3.sqlite_version},
        "threads": THREADS,
        "medians": {
            variant: {name: statistics.median(each[variant][name] for each in rounds) for name in names}
            | {"synchronous": rounds[0][variant]["synchronous"]}
            for variant in VARIANTS
        },
        "times_django": {"median": statistics.median(ratios), "rounds": ratios},
        "rounds": rounds,
    }
    print(json.dumps(result, indent=2))
    RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["work"]:
        work(*sys.argv[2:])
    else:
        main()
