"""P14: consuming from RabbitMQ into PostgreSQL with an inbox, beside the articles' style and the clients people use.

    python -m benchmarks.bench_consumers [--rounds 3] [--quick] [--only bandstand]

A quorum queue is filled first; then one process drains it. Every event leaves a row and is remembered in the same
transaction. The peers hold 100 events in advance and commit each; the articles hold one. Ours is the loop that a
worker runs, with a handler of single events, which may use the ORM as it likes, and with one that takes a batch. The
limit is what py-amqp reads when nothing is done with the events.
"""

from benchmarks.messaging import consumers, servers
from benchmarks.report import Figures, in_child, in_turns, keep, machine, medians, options, ratio, serve_child

SCRIPT = "benchmarks.bench_consumers"
BATCH, EACH, ARTICLES = "bandstand, batch handler", "bandstand, any handler", "the articles: pika, prefetch 1"
WAYS = {
    "py-amqp, nothing done": (consumers.limit, 20_000),
    BATCH: (consumers.bandstand_batch, 20_000),
    EACH: (consumers.bandstand_each, 5_000),
    ARTICLES: (consumers.articles, 1_000),
    "pika, prefetch 100": (consumers.pika, 1_500),
    "kombu, prefetch 100": (consumers.kombu, 1_500),
    "aio-pika, prefetch 100": (consumers.aio_pika, 1_500),
    "FastStream, prefetch 100": (consumers.faststream, 1_500),
    "Celery, two processes": (consumers.celery, 1_500),
}


def one(way: str, server: servers.RunningEngine, url: str, share: float) -> Figures:
    """One way with a fresh queue and a fresh database."""
    role, count = WAYS[way]
    with servers.database(server) as database, servers.queue(url):
        given = {"database": database, "url": url, "count": round(count * share)}
        return in_child(SCRIPT, role.__name__, given)


def main() -> None:
    """Measure, print and write down."""
    chosen = options(__doc__)
    share = 0.1 if chosen.quick else 1.0
    with servers.folder() as place, servers.postgresql(place) as server, servers.rabbitmq(place) as (broker, _):
        rounds = in_turns([*WAYS], lambda way: one(way, server, broker.url, share), chosen)
    figure = "events_per_second"
    result = {
        "goals": {"P14": "batch handler >= 15 times the articles' style, any handler >= 3 times"},
        "machine": machine("amqp", "celery", "kombu", "pika", "aio-pika", "faststream", "psycopg"),
        "compared": {
            "batch handler, times the articles": ratio(rounds, figure, BATCH, ARTICLES),
            "any handler, times the articles": ratio(rounds, figure, EACH, ARTICLES),
        },
        "ways": medians(rounds),
    }
    keep("consumers", result, chosen)


if __name__ == "__main__":
    if not serve_child({role.__name__: role for role, _ in WAYS.values()}):
        main()
