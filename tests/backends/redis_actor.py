"""A reader of its own process: `python -m tests.backends.redis_actor URL GROUP`. Each line of input makes it go on."""

import sys

from bandstand.events.backends import BusUnavailable, open_bus
from tests.backends.steps import bodies, subscribed, take


def main(url: str, group: str) -> None:
    """Fetch two; later try to fetch, and to acknowledge those two; say what came of it."""
    subscription = subscribed(open_bus(url), group)
    held = take(subscription, 2)
    print("holding", flush=True)
    sys.stdin.readline()
    for attempt in (lambda: bodies(subscription), lambda: (subscription.ack(held[-1].position), subscription.flush())):
        try:
            print("did", attempt(), flush=True)
        except BusUnavailable as error:
            print(error, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
