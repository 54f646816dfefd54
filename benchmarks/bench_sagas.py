"""P16: sagas of five trivial steps, beside DBOS, a Celery chain, Restate's Python SDK and the articles' saga.

    python -m benchmarks.bench_sagas [--rounds 3] [--quick] [--only "dbos"]

A closed loop of 1, 8 and 64 clients, each of which starts a saga and waits until it has ended; and backlogs that are
drained by one and by two processes, beside DBOS's own queue. PostgreSQL's commits are on disk when they return, as are
RabbitMQ's confirms and Restate's log. Clients and engine share a process with ours, DBOS and the articles, and its CPU
is told; Celery has two processes of its own, Restate its server and hypercorn with one. Transactions are what
PostgreSQL counted, those of starting and stopping among them.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg

from bandstand.testing.engines import RunningEngine
from benchmarks.messaging import servers
from benchmarks.report import Figures, in_child, in_turns, keep, machine, medians, options, ratio, serve_child
from benchmarks.sagas import backlogs, celery, dbos, ours, restate, shop
from benchmarks.sagas.articles.saga import articles

SCRIPT = "benchmarks.bench_sagas"
OURS, DBOS = "bandstand, postgresql", "dbos, postgresql"
ARTICLES, CELERY, RESTATE = "articles, postgresql", "celery chain, rabbitmq", "restate, own log"
LOOPS = (OURS, DBOS, ARTICLES, CELERY, RESTATE, "bandstand, sqlite")
BACKLOGS = {
    "bandstand, backlog, 1 process": ("backlog", {"processes": 1, "count": 6_000}),
    "bandstand, backlog, 2 processes": ("backlog", {"processes": 2, "count": 6_000}),
    "dbos, backlog, 1 process": ("dbos_backlog", {"processes": 1, "count": 400}),
    "dbos, backlog, 2 processes": ("dbos_backlog", {"processes": 2, "count": 400}),
}
LEVELS = (1, 8, 64)
RATE = "sagas_per_second"


class Servers:
    """The servers of this run; Restate's is installed on first use and runs only while it is measured."""

    def __init__(self, stack: ExitStack, place: Path) -> None:
        self.place = place
        self.postgresql = stack.enter_context(servers.postgresql(place))
        self.rabbitmq = stack.enter_context(RunningEngine("rabbitmq", place / "rabbitmq"))
        self.valkey = stack.enter_context(RunningEngine("valkey", place / "valkey"))

    def transactions(self, database: str) -> int:
        """How many PostgreSQL has committed; exact once those who made them have left."""
        with psycopg.connect(self.postgresql.url) as connection:
            query = "SELECT xact_commit FROM pg_stat_database WHERE datname = %s"
            row = connection.execute(query, [database.rpartition("/")[2]]).fetchone()
        return int(row[0]) if row else 0


@contextmanager
def prepared(variant: str, running: Servers) -> Iterator[tuple[str, Figures]]:
    """The role that runs a closed loop of this variant and what it needs, on fresh tables or queues."""
    who, _, where = variant.partition(", ")
    with ExitStack() as stack:
        if who == "celery chain":
            stack.enter_context(celery.worker(running.rabbitmq.url, running.valkey.url))
            yield "celery_chain", {"broker": running.rabbitmq.url, "replies": running.valkey.url}
        elif who == "restate":
            yield "restate_saga", {"ingress": stack.enter_context(restate.serving(running.place))}
        elif where == "sqlite":
            database = f"sqlite:///{stack.enter_context(servers.folder())}/shop.sqlite3"
            in_child(SCRIPT, "migrate", {"database": database})
            yield "ours", {"database": database}
        else:
            database = stack.enter_context(servers.database(running.postgresql))
            in_child(SCRIPT, "dbos_migrate" if who == "dbos" else "migrate", {"database": database})
            yield {"bandstand": "ours", "dbos": "dbos_saga", "articles": "articles"}[who], {"database": database}


def loops(variant: str, running: Servers, share: float) -> Figures:
    """A closed loop at each level, in processes of their own."""
    found: Figures = {}
    with prepared(variant, running) as (role, given):
        database = given.get("database", "")
        is_counted = database.startswith("postgres")
        for clients in LEVELS:
            before = running.transactions(database) if is_counted else 0
            seconds = (5 if clients > 8 else 3) * share  # where a saga takes seconds, they have to be a few
            figures = in_child(SCRIPT, role, {**given, "clients": clients, "seconds": seconds})
            count = figures.pop("sagas")
            found |= {f"{name} at {clients}": value for name, value in figures.items()}
            if is_counted:
                transactions = (running.transactions(database) - before) / count
                found[f"transactions_per_saga at {clients}"] = round(transactions, 2)
    return found


def drain(variant: str, running: Servers, share: float) -> Figures:
    """A backlog that lies there before any worker runs."""
    role, given = BACKLOGS[variant]
    count = max(round(given["count"] * share), 50)
    with servers.database(running.postgresql) as database, servers.folder() as gate:
        in_child(SCRIPT, "dbos_migrate" if variant.startswith("dbos") else "migrate", {"database": database})
        before = running.transactions(database)
        found = in_child(SCRIPT, role, {"database": database, "gate": str(gate), **given, "count": count})
        transactions = (running.transactions(database) - before) / count
        return {**found, "transactions_per_saga": round(transactions, 2)}


def one(variant: str, running: Servers, share: float) -> Figures:
    """One side of the comparison."""
    return drain(variant, running, share) if variant in BACKLOGS else loops(variant, running, share)


def main() -> None:
    """Measure, print and write down."""
    chosen = options(__doc__)
    with servers.folder() as place, ExitStack() as stack:
        running = Servers(stack, place)
        rounds = in_turns([*LOOPS, *BACKLOGS], lambda name: one(name, running, 0.3 if chosen.quick else 1.0), chosen)
    single, double, peer_single, peer_double = BACKLOGS
    compared = {
        **{f"times dbos at {level}": ratio(rounds, f"{RATE} at {level}", OURS, DBOS) for level in LEVELS},
        **{f"times the articles at {level}": ratio(rounds, f"{RATE} at {level}", OURS, ARTICLES) for level in LEVELS},
        **{f"times celery at {level}": ratio(rounds, f"{RATE} at {level}", OURS, CELERY) for level in LEVELS},
        **{f"times restate at {level}": ratio(rounds, f"{RATE} at {level}", OURS, RESTATE) for level in LEVELS},
        "backlog, 1 process, times dbos": ratio(rounds, RATE, single, peer_single),
        "backlog, 2 processes, times dbos": ratio(rounds, RATE, double, peer_double),
    }
    result = {
        "goals": {
            "P16": ">= 3 times DBOS at 1, >= 7 at 8, >= 20 at 64; <= 1.5 transactions a saga at 64; not slower than "
            "the articles at 1; >= 4 times a Celery chain and >= 3 times Restate at 8"
        },
        "machine": machine("psycopg", "dbos", "sqlalchemy", "celery", "amqp", "restate-sdk", "hypercorn")
        | {"restate-server": restate.SERVER},
        "compared": compared,
        "sides": medians(rounds),
    }
    keep("sagas", result, chosen)


if __name__ == "__main__":
    roles = (shop.migrate, ours.ours, articles, dbos.dbos_migrate, dbos.dbos_saga, celery.celery_chain)
    others = (restate.restate_saga, backlogs.backlog, ours.first, ours.work, dbos.dbos_backlog, dbos.dbos_work)
    if not serve_child({role.__name__: role for role in (*roles, *others)}):
        main()
