"""A process of its own for the suite: `python -m tests.backends.actor publish|hold|await URL …`."""

import sys
from datetime import timedelta

from bandstand.events.backends import open_bus
from tests.backends.steps import message, subscribed, take


def publish(url: str, type_: str, subject: str, count: str) -> None:
    """Publish one by one and print each body once the bus has accepted it."""
    bus = open_bus(url)
    for number in range(int(count)):
        sent = message(subject, number, type_=type_)
        if bus.publish([sent]).accepted:
            print(sent.body, flush=True)


def hold(url: str, group: str, count: str) -> None:
    """Fetch without acknowledging and stay."""
    subscription = subscribed(open_bus(url), group)
    print("holding", len(take(subscription, int(count))), flush=True)
    sys.stdin.read()


def await_(url: str, group: str) -> None:
    """Wait for one event and print it."""
    bus = open_bus(url)
    waiter = bus.waiter(group)
    subscription = subscribed(bus, group)
    print("waiting", flush=True)
    while True:
        found = subscription.fetch(1)
        if found:
            print(found[0].message.body, flush=True)
            return
        waiter.wait(timedelta(seconds=30))


if __name__ == "__main__":
    {"publish": publish, "hold": hold, "await": await_}[sys.argv[1]](*sys.argv[2:])
