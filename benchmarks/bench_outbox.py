"""P13: what an event adds to the transaction that writes it, and what wake-ups cost 32 writers.

    python -m benchmarks.bench_outbox [--rounds 3] [--quick] [--only postgresql]

One writer on PostgreSQL and on SQLite (`synchronous=FULL`): a business row by the ORM, alone, with an event of ours,
with a row of django-outbox-pattern and with an outbox row written by hand, in turns of a fraction of a second. Then 32
writers in four processes on PostgreSQL, with and without wake-ups in turns; a process listens to them. Beside both
what the server gives pgbench for one bare INSERT a commit.
"""

import re
import shutil
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg

from benchmarks.messaging import servers
from benchmarks.messaging.writers import DOP, OURS, ROW, SILENT, alone, crowd, listen, prepare
from benchmarks.report import Figures, Gate, in_child, in_turns, keep, machine, medians, options, ratio, serve_child

SCRIPT = "benchmarks.bench_outbox"
PROCESSES, THREADS, TURNS = 4, 8, 20
_INSERT = "INSERT INTO raw (body) VALUES (repeat('x', 500));\n"
_NOTIFY = "SELECT pg_notify('raw', '');\n"


def raw(database: str, place: Path, *, clients: int, seconds: int, notify: bool = False) -> int | None:
    """What pgbench reaches with one prepared INSERT a commit; None where it is not installed."""
    if shutil.which("pgbench") is None:
        return None
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS raw (id bigserial PRIMARY KEY, body text)")
    script = place / "raw.sql"
    script.write_text(f"BEGIN;\n{_INSERT}{_NOTIFY}COMMIT;\n" if notify else _INSERT)
    words = ["pgbench", "-n", "-M", "prepared", "-f", script, "-c", clients, "-j", 2, "-T", seconds, database]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=True)
    found = re.search(r"tps = ([0-9.]+)", done.stdout)
    assert found is not None, done.stdout
    return round(float(found[1]))


def many(database: str, seconds: float) -> Figures:
    """32 writers in four processes: commits a second with wake-ups and without."""
    in_child(SCRIPT, "prepare", {"database": database})
    with servers.folder() as place, ThreadPoolExecutor(PROCESSES + 1) as pool:
        given = {"database": database, "gate": str(place)}
        pool.submit(in_child, SCRIPT, "listen", given | {"seconds": seconds})
        turns = {"threads": THREADS, "turn": seconds / TURNS, "turns": TURNS}
        found = [pool.submit(in_child, SCRIPT, "crowd", given | turns) for _ in range(PROCESSES)]
        Gate(str(place)).open(PROCESSES + 1)
        counts: Counter[str] = Counter()
        for each in found:
            counts.update(each.result())
    measured = 0.9 * seconds / 2
    figures = {"with_wakeups": round(counts[OURS] / measured), "without_wakeups": round(counts[SILENT] / measured)}
    return {**figures, "kept": round(figures["with_wakeups"] / figures["without_wakeups"], 3)}


def one(variant: str, server: servers.RunningEngine, place: Path, seconds: float) -> Figures:
    """One kind of measurement on a fresh database."""
    if variant == "sqlite":
        with servers.folder() as inner:
            return in_child(SCRIPT, "alone", {"database": f"sqlite:///{inner}/shop.sqlite3", "seconds": seconds})
    with servers.database(server) as database:
        if variant == "pgbench":
            clients = {f"{count} clients": raw(database, place, clients=count, seconds=1) for count in (1, 32)}
            return clients | {"32 clients, own NOTIFY": raw(database, place, clients=32, seconds=1, notify=True)}
        if variant == "postgresql":
            return in_child(SCRIPT, "alone", {"database": database, "seconds": seconds})
        return many(database, 4 * seconds)


def compared(rounds: list[dict[str, Figures]]) -> Figures:
    """What the goal speaks of."""
    found: Figures = {}
    for variant in {"postgresql", "sqlite"} & rounds[0].keys():
        kinds = [each[variant] for each in rounds]
        time_of = "p50_ms"
        found[variant] = {
            "time with event / row only": ratio(kinds, time_of, OURS, ROW),
            "time with django-outbox-pattern / row only": ratio(kinds, time_of, DOP, ROW),
            "rate with event / row only": ratio(kinds, "commits_per_second", OURS, ROW),
            "rate of django-outbox-pattern / row only": ratio(kinds, "commits_per_second", DOP, ROW),
        }
    return found


def main() -> None:
    """Measure, print and write down."""
    chosen = options(__doc__)
    seconds = 0.3 if chosen.quick else 1.2
    variants = ("pgbench", "postgresql", "sqlite", "postgresql, 32 writers")
    with servers.folder() as place, servers.postgresql(place) as server:
        rounds = in_turns(variants, lambda variant: one(variant, server, place, seconds), chosen)
    tables = {name: [each[name] for each in rounds if OURS in each.get(name, {})] for name in ("postgresql", "sqlite")}
    kinds = {name: medians(found) for name, found in tables.items() if found}
    others = medians([{name: found for name, found in each.items() if name not in kinds} for each in rounds])
    result = {
        "goals": {
            "P13": "<= +50 % over the transaction without an event; 32 writers >= 95 % of the rate without wake-ups"
        },
        "machine": machine("psycopg", "django-outbox-pattern"),
        "compared": compared(rounds),
        **kinds,
        **others,
    }
    keep("outbox", result, chosen)


if __name__ == "__main__":
    if not serve_child({"alone": alone, "crowd": crowd, "listen": listen, "prepare": prepare}):
        main()
