"""What can be asked of the provider: each decision under one lock, each answer only after its record is on disk."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bandstand.chaos.provider.book import Answer, Book, Event, Order, failure
from bandstand.chaos.provider.ledger import Ledger
from bandstand.chaos.provider.records import Accepted, Declined, ModeSet, Notified, Record, WebhookRegistered
from bandstand.chaos.provider.timetable import Timetable
from bandstand.chaos.provider.webhooks import Webhooks
from bandstand.clock import now

__all__ = ["Delays", "Provider", "Reply", "Silence"]

_PAGE_SIZE = 500


@dataclass(frozen=True, kw_only=True)
class Delays:
    """How long `tok_slow` takes to answer and `tok_late` to be executed."""

    slow: timedelta = timedelta(seconds=5)
    late: timedelta = timedelta(seconds=20)


@dataclass(frozen=True)
class Silence:
    """No answer: the connection is dropped, at once or when the caller has given up."""

    held: bool


Reply = Answer | Silence


class Provider:
    """The simulated provider, recovered from *ledger*. Call `start` before use and `stop` at the end."""

    def __init__(self, ledger: Ledger, *, delays: Delays | None = None) -> None:
        self._ledger, self._delays = ledger, delays or Delays()
        self._book = Book()
        self._changed = threading.Condition()
        self._failures: dict[str, int] = {}
        for record in ledger.recover():
            self._book.fold(record)
        self._webhooks = Webhooks(target=self._receiver, acknowledged=self._acknowledged)
        self._due: Timetable[str] = Timetable(self._execute, name="due")
        self._tokens: dict[str, Callable[[Order], Callable[[], Reply]]] = {
            "tok_ok": self._ok,
            "tok_down": self._ok,  # while the provider is down it answers 503 to everything
            "tok_declined": lambda order: self._decline(order, "card_declined"),
            "tok_flaky": self._flaky,
            "tok_lost": self._lost,
            "tok_slow": self._slow,
            "tok_late": self._late,
            "tok_dup": self._dup,
        }

    @property
    def is_down(self) -> bool:
        """Whether control has taken the provider down."""
        return self._book.mode == "down"

    def start(self) -> None:
        """Go on with what the ledger says is still due."""
        for event in list(self._book.events.values()):
            self._webhooks.schedule(event)
        for key, due in list(self._book.due.items()):
            self._due.put(key, delay=_until(due))
        self._webhooks.start()
        self._due.start()

    def stop(self) -> None:
        """Finish what is running and close the ledger."""
        self._due.stop()
        self._webhooks.stop()
        self._ledger.close()

    def charge(self, order: Order, *, method: str) -> Reply:
        """Take the money once per key, however often it is asked, and as *method* wants it to go wrong."""
        with self._changed:
            answer = self._book.known(order)
            if answer is None:
                begin = self._tokens.get(method) or (lambda each: self._decline(each, "unknown_payment_method"))
                finish = begin(order)
            else:
                finish = _answering(answer)
            position = self._ledger.position
        self._ledger.wait(position)
        return finish()

    def cancel(self, key: str) -> Answer:
        """Kill *key*, whether its charge came, will come, or never comes; money taken goes back."""
        with self._changed:
            record = self._book.cancelled(key, now())
            if record is not None:
                self._write(record)
            answer = 200, {"key": key, "state": self._book.charges[key].state}
            position = self._ledger.position
        self._ledger.wait(position)
        return answer

    def refund(self, key: str, *, refund: str, amount: int) -> Answer:
        """Give back a part of a captured charge, once per refund key."""
        with self._changed:
            record = self._book.refunded(key, refund=refund, amount=amount, now=now())
            if isinstance(record, tuple):
                answer = record
            else:
                self._write(record)
                answer = 201, {"key": key, "refund_key": refund, "amount": amount}
            position = self._ledger.position
        self._ledger.wait(position)
        return answer

    def show(self, key: str) -> Answer:
        """The charge under *key*."""
        with self._changed:
            charge = self._book.charges.get(key)
            answer = (200, charge.shown()) if charge else failure(404, "not_found", "No such charge.")
            position = self._ledger.position
        self._ledger.wait(position)
        return answer

    def page(self, *, since: datetime | None, number: int) -> tuple[list[dict[str, Any]], bool]:
        """One page of the charges changed at or after *since*, and whether another follows.

        Ordered by first appearance, so that a charge changing between two pages may come twice but is never missed.
        """
        with self._changed:
            charges = self._book.charges.values()
            found = [charge for charge in charges if since is None or charge.updated_at >= since]
            start = (number - 1) * _PAGE_SIZE
            shown = [charge.shown() for charge in found[start : start + _PAGE_SIZE]]
            position = self._ledger.position
        self._ledger.wait(position)
        return shown, len(found) > start + _PAGE_SIZE

    def register_webhook(self, *, url: str, secret: str) -> None:
        """Send every later event to *url*, signed with *secret*; the last registration counts."""
        self._durably(WebhookRegistered(at=now(), url=url, secret=secret))

    def set_mode(self, mode: str) -> None:
        """Take the provider down or bring it up again; remembered over a restart."""
        self._durably(ModeSet(at=now(), mode=mode))

    def _durably(self, record: Record) -> None:
        with self._changed:
            self._write(record)
            position = self._ledger.position
        self._ledger.wait(position)

    def _write(self, record: Record) -> Event | None:
        self._ledger.append(record)
        self._book.fold(record)
        self._changed.notify_all()
        event = self._book.events.get(getattr(record, "event", ""))
        if event is not None:
            self._webhooks.schedule(event)
        return event

    def _ok(self, order: Order) -> Callable[[], Reply]:
        self._write(self._book.captured(order, now()))
        return _answering(self._book.outcome(order.key))

    def _decline(self, order: Order, reason: str) -> Callable[[], Reply]:
        asked = {"reference": order.reference, "amount": order.amount, "currency": order.currency}
        self._write(Declined(at=now(), key=order.key, reason=reason, **asked))  # type: ignore[arg-type]
        return _answering(self._book.outcome(order.key))

    def _flaky(self, order: Order) -> Callable[[], Reply]:
        failures = self._failures[order.key] = self._failures.get(order.key, 0) + 1
        if failures <= 2:
            return _answering(failure(500, "broken", "The provider failed; nothing was charged."))
        del self._failures[order.key]
        return self._ok(order)

    def _lost(self, order: Order) -> Callable[[], Reply]:
        self._ok(order)
        return lambda: Silence(held=False)

    def _accept(self, order: Order, delay: timedelta) -> None:
        asked = {"reference": order.reference, "amount": order.amount, "currency": order.currency}
        self._write(Accepted(at=now(), key=order.key, due=now() + delay, **asked))  # type: ignore[arg-type]
        self._due.put(order.key, delay=delay.total_seconds())

    def _late(self, order: Order) -> Callable[[], Reply]:
        self._accept(order, self._delays.late)
        return lambda: Silence(held=True)

    def _slow(self, order: Order) -> Callable[[], Reply]:
        self._accept(order, self._delays.slow)

        def finish() -> Reply:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._book.charges[order.key].state != "pending",
                    timeout=self._delays.slow.total_seconds() + 5,
                )
                answer, position = self._book.outcome(order.key), self._ledger.position
            self._ledger.wait(position)
            return answer

        return finish

    def _dup(self, order: Order) -> Callable[[], Reply]:
        event = self._write(self._book.captured(order, now()))  # this is the one that comes after the answer as well
        answer = self._book.outcome(order.key)

        def finish() -> Reply:
            if event is not None:
                self._webhooks.send(event)
                self._webhooks.schedule(event)
            return answer

        return finish

    def _execute(self, key: str) -> None:
        with self._changed:
            record = self._book.executed(key, now())
            if record is not None:
                self._write(record)
        self._ledger.wait()

    def _receiver(self) -> WebhookRegistered | None:
        self._ledger.wait()  # nobody hears of what a crash could still undo
        return self._book.webhook

    def _acknowledged(self, event: str) -> None:
        with self._changed:
            if event in self._book.events:
                self._write(Notified(at=now(), event=event))


def _answering(answer: Answer) -> Callable[[], Reply]:
    return lambda: answer


def _until(due: datetime) -> float:
    return max(0.0, (due - now()).total_seconds())
