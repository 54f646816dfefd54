"""P12: from the making of an event in a transaction to its delivery in another process, with the relay in a third.

    python -m benchmarks.bench_latency [--rounds 3] [--quick] [--only rabbitmq]

The event is made within the transaction, so its commit counts as well. `received` means that the bus has handed it to
the reading process, `handled` that its handler runs, within the transaction of its inbox row. django-outbox-pattern
runs as it ships: it looks for events once a second; what it sends is read by a plain client.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from bandstand.testing.engines import RunningEngine
from benchmarks.messaging import servers, travel, writers
from benchmarks.report import Figures, Gate, in_child, in_turns, keep, machine, medians, options, ratio, serve_child

SCRIPT = "benchmarks.bench_latency"
OURS = "postgresql to rabbitmq, received, {}/s"
PEER = "postgresql to rabbitmq, django-outbox-pattern, 100/s"
VARIANTS = (
    OURS.format(100),
    PEER,
    OURS.format(500),
    "postgresql to rabbitmq, handled, 500/s",
    "postgresql to redis, received, 500/s",
    "postgresql to embedded, received, 500/s",
    "sqlite to rabbitmq, received, 100/s",
)


class Machines:
    """The servers of this run."""

    def __init__(self, stack: ExitStack, place: Path) -> None:
        self.rabbitmq, self.stomp = stack.enter_context(servers.rabbitmq(place))
        self.postgresql = stack.enter_context(servers.postgresql(place))
        self.valkey = stack.enter_context(RunningEngine("valkey", place / "valkey"))

    def database(self, name: str, stack: ExitStack, folder: Path) -> str:
        """The URL of a fresh database."""
        if name == "sqlite":
            return f"sqlite:///{folder}/shop.sqlite3"
        return stack.enter_context(servers.database(self.postgresql))

    def bus(self, name: str, folder: Path) -> str:
        """The URL of a bus."""
        served = {"rabbitmq": self.rabbitmq.url, "redis": self.valkey.url}
        return served.get(name, f"embedded:///{folder}/bus.sqlite3")


def one(variant: str, machines: Machines, seconds: float) -> Figures:
    """One way at one rate: three processes that begin together."""
    way, how, pace = variant.split(", ")
    source, _, target = way.partition(" to ")
    rate = int(pace.removesuffix("/s"))
    with ExitStack() as stack:
        folder, gate = stack.enter_context(servers.folder()), str(stack.enter_context(servers.folder()))
        database = machines.database(source, stack, folder)
        bus = machines.bus(target, folder)
        in_child(SCRIPT, "prepare", {"database": database})
        count, is_peer = round(rate * seconds), how == "django-outbox-pattern"
        kind = writers.DOP if is_peer else writers.OURS
        writer: Figures = {"database": database, "gate": gate, "rate": rate, "count": count, "kind": kind}
        if is_peer:
            stack.enter_context(servers.queue(bus, exchange="amq.topic"))
            relay = ("relay_of_dop", {"database": database, "stomp": machines.stomp, "gate": gate})
            reader = ("receive_plainly", {"url": bus, "gate": gate, "count": count})
        elif how == "handled":
            relay = ("relay", {"database": database, "bus": bus, "gate": gate})
            mirror = machines.database(source, stack, folder)
            reader = ("handle", {"database": mirror, "bus": bus, "gate": gate, "count": count})
        else:
            relay = ("relay", {"database": database, "bus": bus, "gate": gate})
            reader = ("receive", {"bus": bus, "gate": gate, "count": count})
        return together(gate, relay, ("write", writer), reader)


def together(gate: str, *roles: tuple[str, Figures]) -> Figures:
    """Run three roles at once; what the last of them, the reader, found, and how late the writer was at most."""
    with ThreadPoolExecutor(len(roles)) as pool:
        running: list[Future[Figures]] = [pool.submit(in_child, SCRIPT, name, given) for name, given in roles]
        Gate(gate).open(len(roles))
        found = running[-1].result()
        Gate(gate).close()
        return found | running[1].result()


def main() -> None:
    """Measure, print and write down."""
    chosen = options(__doc__)
    with servers.folder() as place, ExitStack() as stack:
        machines = Machines(stack, place)
        rounds = in_turns(VARIANTS, lambda name: one(name, machines, 1.5 if chosen.quick else 3.0), chosen)
    result = {
        "goals": {"P12": "p50 <= 5 ms, p99 <= 15 ms at 500/s; >= 100 times below django-outbox-pattern's median"},
        "machine": machine("amqp", "psycopg", "redis", "django-outbox-pattern", "stomp-py"),
        "compared": {"times below django-outbox-pattern": ratio(rounds, "p50_ms", PEER, OURS.format(100))},
        "ways": medians(rounds),
    }
    keep("latency", result, chosen)


if __name__ == "__main__":
    roles = (travel.prepare, travel.write, travel.relay, travel.relay_of_dop)
    readers = (travel.receive, travel.receive_plainly, travel.handle)
    if not serve_child({role.__name__: role for role in (*roles, *readers)}):
        main()
