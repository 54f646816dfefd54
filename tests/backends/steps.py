"""What the tests of buses do again and again."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar
from uuid import uuid4

from bandstand import clock
from bandstand.events.backends import Bus, BusUnavailable, Delivery, Message, Subscription, Waiter

T = TypeVar("T")

SECOND = timedelta(seconds=1)
MADE, SOLD = "shop.thing_made.v1", "shop.thing_sold.v1"


def message(subject: str, number: int, *, type_: str = MADE, body: str = "") -> Message:
    return Message(event_id=str(uuid4()), type=type_, subject=subject, body=body or f"{subject}:{number}")


def bodies(subscription: Subscription, limit: int = 100) -> list[str]:
    return [delivery.message.body for delivery in subscription.fetch(limit)]


def subscribed(bus: Bus, group: str) -> Subscription:
    subscription = bus.subscribe(group)
    assert subscription is not None, f"somebody else reads for {group}"
    return subscription


def take(subscription: Subscription, count: int, *, seconds: float = 10) -> list[Delivery]:
    """The next *count* deliveries: a bus behind a server may need a moment, and a fetch may bring fewer than asked."""
    found: list[Delivery] = []
    deadline = clock.monotonic() + seconds
    while len(found) < count:
        found += subscription.fetch(count - len(found))
        assert clock.monotonic() < deadline, f"only {len(found)} of {count} deliveries came"
    return found


def taken(subscription: Subscription, count: int) -> list[str]:
    return [delivery.message.body for delivery in take(subscription, count)]


def waits(waiter: Waiter) -> bool:
    """Whether nothing wakes it for a moment."""
    started = clock.monotonic()
    waiter.wait(timedelta(milliseconds=50))
    return clock.monotonic() - started >= 0.045


def settle(waiter: Waiter) -> None:
    """Let the wake-ups come that are still on their way."""
    deadline = clock.monotonic() + 10
    while not waits(waiter):
        assert clock.monotonic() < deadline, "it is woken again and again"


def lags(bus: Bus) -> list[int]:
    return [report.lag for report in bus.groups()]


def fetch_until(subscription: Subscription, count: int, *, seconds: float = 10) -> list[str]:
    found: list[str] = []
    deadline = clock.monotonic() + seconds
    while len(found) < count and clock.monotonic() < deadline:
        found += bodies(subscription)
    return found


def run(*arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.backends.actor", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, env=dict(os.environ))


def again(attempt: Callable[[], T | None], *, seconds: float = 30) -> T:
    """What a relay does: try until the bus is back."""
    deadline = clock.monotonic() + seconds
    while True:
        try:
            found = attempt()
        except BusUnavailable:
            found = None
        if found:
            return found
        assert clock.monotonic() < deadline, "the bus did not come back"
        clock.sleep(0.05)
