"""P11: draining an outbox to RabbitMQ, confirmed, beside django-outbox-pattern, a relay by hand and the raw limit.

    python -m benchmarks.bench_relay [--rounds 3] [--quick] [--only "sqlite"]

Ours is the loop that a worker runs, and every event ends as a receipt in the table of delivered events; the same on
the other buses. django-outbox-pattern speaks STOMP and asks for no receipts, so what it sends is not confirmed; its
pause of a second between batches is left out. All write to a quorum queue of the same server.
"""

from contextlib import ExitStack
from pathlib import Path

from bandstand.testing.engines import RunningEngine
from benchmarks.messaging import servers
from benchmarks.messaging.frames import flood
from benchmarks.messaging.relays import by_hand, dop, ours
from benchmarks.messaging.shop import envelope
from benchmarks.report import Figures, in_child, in_turns, keep, machine, medians, options, ratio, serve_child

SCRIPT = "benchmarks.bench_relay"
LIMIT = "raw frames, 4 x 500 in flight"
VARIANTS = (
    LIMIT,
    "bandstand, postgresql to rabbitmq",
    "django-outbox-pattern, postgresql to rabbitmq",
    "by hand, postgresql to rabbitmq",
    "bandstand, sqlite to rabbitmq",
    "django-outbox-pattern, sqlite to rabbitmq",
    "bandstand, postgresql to redis",
    "bandstand, postgresql to embedded",
    "bandstand, sqlite to embedded",
)
COUNTS = {"bandstand": 20_000, "django-outbox-pattern": 3_000, "by hand": 1_500}


class Machines:
    """The servers of this run."""

    def __init__(self, stack: ExitStack, place: Path) -> None:
        self.rabbitmq, self.stomp = stack.enter_context(servers.rabbitmq(place))
        self.postgresql = stack.enter_context(servers.postgresql(place))
        self.valkey = stack.enter_context(RunningEngine("valkey", place / "valkey"))

    def bus(self, name: str, folder: Path) -> str:
        """The URL of a bus."""
        served = {"rabbitmq": self.rabbitmq.url, "redis": self.valkey.url}
        return served.get(name, f"embedded:///{folder}/bus.sqlite3")


def one(variant: str, machines: Machines, *, share: float) -> Figures:
    """One relay with a fresh database, a fresh queue and as many events as it carries in about two seconds."""
    if variant == LIMIT:
        with servers.queue(machines.rabbitmq.url):
            body = envelope(1, sequence=1)[1].encode()
            sent, took = flood(machines.rabbitmq.url, body, seconds=1.5 * share, at_once=500, windows=4)
        return {"events_per_second": round(sent / took)}
    who, _, way = variant.partition(", ")
    source, _, target = way.partition(" to ")
    with ExitStack() as stack:
        folder = stack.enter_context(servers.folder())
        database = f"sqlite:///{folder}/shop.sqlite3"
        if source == "postgresql":
            database = stack.enter_context(servers.database(machines.postgresql))
        given: Figures = {"database": database, "count": round(COUNTS[who] * share)}
        if who == "bandstand":
            return in_child(SCRIPT, "ours", given | {"bus": machines.bus(target, folder)})
        stack.enter_context(servers.queue(machines.rabbitmq.url, exchange="amq.topic"))
        given["url"] = machines.rabbitmq.url
        if who == "by hand":
            return in_child(SCRIPT, "by_hand", given)
        return in_child(SCRIPT, "dop", given | {"stomp": machines.stomp})


def main() -> None:
    """Measure, print and write down."""
    chosen = options(__doc__)
    with servers.folder() as place, ExitStack() as stack:
        machines = Machines(stack, place)
        rounds = in_turns(VARIANTS, lambda name: one(name, machines, share=0.1 if chosen.quick else 1.0), chosen)
    _, postgresql, peer, hand, sqlite, sqlite_peer, *_ = VARIANTS
    figure = "events_per_second"
    compared = {
        "postgresql, times django-outbox-pattern": ratio(rounds, figure, postgresql, peer),
        "postgresql, times the relay by hand": ratio(rounds, figure, postgresql, hand),
        "postgresql, of the limit": ratio(rounds, figure, postgresql, LIMIT),
        "sqlite, times django-outbox-pattern": ratio(rounds, figure, sqlite, sqlite_peer),
    }
    result = {
        "goals": {"P11": ">= 15 times django-outbox-pattern, >= 30 % of the raw limit; on SQLite >= 10 times"},
        "machine": machine("amqp", "kombu", "psycopg", "django-outbox-pattern", "stomp-py"),
        "compared": compared,
        "relays": medians(rounds),
    }
    keep("relay", result, chosen)


if __name__ == "__main__":
    if not serve_child({"ours": ours, "dop": dop, "by_hand": by_hand}):
        main()
