"""Signed webhooks, repeated with growing pauses until the receiver answers 2xx."""

import hashlib
import hmac
import random
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import urllib3

from bandstand.chaos.provider.book import Event
from bandstand.chaos.provider.records import WebhookRegistered
from bandstand.chaos.provider.timetable import Timetable
from bandstand.clock import now

__all__ = ["Webhooks", "signature"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 30.0


def signature(secret: str, body: bytes, moment: int) -> str:
    """The `Provider-Signature` header: HMAC-SHA256 of `<moment>.<body>`, *moment* in Unix seconds."""
    mac = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256)
    return f"t={moment},v1={mac.hexdigest()}"


@dataclass(frozen=True)
class _Delivery:
    event: Event
    attempt: int = 0


class Webhooks:
    """Send events to whoever is registered when they are due; *acknowledged* hears of each that was taken.

    At least once and in no particular order, as the webhooks of real providers.
    """

    def __init__(self, *, target: Callable[[], WebhookRegistered | None], acknowledged: Callable[[str], None]) -> None:
        self._target, self._acknowledged = target, acknowledged
        self._pool = urllib3.PoolManager(num_pools=2, maxsize=4, retries=False, timeout=urllib3.Timeout(5.0))
        self._timetable: Timetable[_Delivery] = Timetable(self._deliver, name="webhook", threads=4)
        self.start, self.stop = self._timetable.start, self._timetable.stop

    def schedule(self, event: Event, *, copies: int = 1) -> None:
        """Send *event* soon, *copies* times."""
        for _ in range(copies):
            self._timetable.put(_Delivery(event))

    def send(self, event: Event) -> bool:
        """Send *event* once, now. False when it was not taken, or nobody is registered."""
        target = self._target()
        if target is None:
            return False
        body = msgspec.json.encode(event.body)
        signed = signature(target.secret, body, int(now().timestamp()))
        headers = {"Content-Type": "application/json", "Provider-Signature": signed}
        try:
            answer = self._pool.request("POST", target.url, body=body, headers=headers, redirect=False)
        except urllib3.exceptions.HTTPError:
            return False
        taken = 200 <= answer.status < 300
        if taken:
            self._acknowledged(event.id)
        return taken

    def _deliver(self, delivery: _Delivery) -> None:
        if self.send(delivery.event):
            return
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(delivery.attempt, 16)) * random.uniform(0.5, 1.0)  # noqa: S311
        self._timetable.put(_Delivery(delivery.event, delivery.attempt + 1), delay=pause)
