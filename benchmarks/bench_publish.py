"""Publishing to RabbitMQ, confirmed, beside the limit that the broker sets and the clients that people use.

    python -m benchmarks.bench_publish [--rounds 3] [--quick] [--only bandstand]

Every way is a process of its own that publishes a persistent event of 500 bytes to a quorum queue for a while; the
rounds go around all of them. The limit is frames built beforehand on a bare socket, with their confirms counted.
"""

from benchmarks.messaging import servers
from benchmarks.messaging.publishers import LIMIT, OURS, WAYS
from benchmarks.report import Figures, in_child, in_turns, keep, machine, medians, options, ratio, serve_child

PEERS = ("amqp", "kombu", "pika", "aio-pika", "faststream")


def publish(way: str, url: str, seconds: float) -> Figures:
    """In a process of its own: publish in one way."""
    sent, took = WAYS[way](url, seconds)
    return {"events_per_second": round(sent / took)}


def one(way: str, url: str, seconds: float) -> Figures:
    """One way on a fresh queue."""
    with servers.queue(url):
        return in_child("benchmarks.bench_publish", "publish", {"way": way, "url": url, "seconds": seconds})


def main() -> None:
    """Measure, print and write down."""
    chosen = options(__doc__)
    seconds = 0.3 if chosen.quick else 1.5
    with servers.folder() as place, servers.rabbitmq(place) as (server, _):
        rounds = in_turns([*WAYS], lambda way: one(way, server.url, seconds), chosen)
    compared = {
        "of the limit": ratio(rounds, "events_per_second", OURS, LIMIT),
        "times kombu": ratio(rounds, "events_per_second", OURS, "kombu, one by one"),
        "times aio-pika": ratio(rounds, "events_per_second", OURS, "aio-pika, 500 in flight"),
        "times FastStream": ratio(rounds, "events_per_second", OURS, "FastStream, 500 in flight"),
        "times the articles": ratio(rounds, "events_per_second", OURS, "the articles: a connection each, no confirms"),
    }
    keep("publish", {"machine": machine(*PEERS), "compared": compared, "ways": medians(rounds)}, chosen)


if __name__ == "__main__":
    if not serve_child({"publish": publish}):
        main()
