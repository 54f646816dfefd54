"""Customers that order against a misbehaving provider, and write down what they are told."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bandstand.clock import monotonic, now, rfc3339, sleep
from tests.fleet.shops import DEMO, Customer, Reply, Shop

__all__ = ["MISBEHAVING", "Buyers", "buyers", "method_of"]

MISBEHAVING = ("tok_flaky", "tok_lost", "tok_slow", "tok_late", "tok_dup")
_WEARY = ("tok_slow", "tok_late")
"""Nobody waits for these: the order is cancelled while its payment is under way."""

_RENEW_SECONDS = 300
"""A token lives for 15 minutes."""

_PATIENCE_SECONDS, _RETRY_AFTER_SECONDS = 180.0, 0.5


def method_of(number: int) -> str:
    """How order *number* is paid: one in ten meets a provider that misbehaves, one in twenty is declined."""
    if number % 10 == 9:
        return MISBEHAVING[number // 10 % len(MISBEHAVING)]
    return "tok_declined" if number % 20 == 4 else "tok_ok"


class Journal:
    """A client's journal as the audit reads it; lines of several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._guard = threading.Lock()

    def note(self, kind: str, **facts: Any) -> None:
        """Append a line; it is in the file when this returns."""
        line = json.dumps({"type": kind, "at": rfc3339(now()), **facts})
        with self._guard, self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


class _Buyer(Customer):
    """One customer of the shop; keeps the journal."""

    def __init__(self, port: int, journal: Journal) -> None:
        super().__init__(port)
        self._journal = journal
        self._signed_in_at = 0.0
        self._user_id = ""

    def stay_signed_in(self) -> None:
        """Sign in, and again before the token ends."""
        if not self._user_id or monotonic() - self._signed_in_at > _RENEW_SECONDS:
            self.sign_in(*DEMO)
            self._signed_in_at = monotonic()
            self._user_id = self.insist("GET", "/users/me/")[1]["id"]

    def insist(self, method: str, path: str, body: Any = None, *, key: str = "", seconds: float = 0) -> Reply:
        """As a customer does whose shop loses half of its processes every few seconds."""
        return super().insist(method, path, body, key=key, seconds=max(seconds, _PATIENCE_SECONDS))

    def ask(self, method: str, path: str, body: Any = None, *, key: str = "") -> Reply:
        """As a customer asks, and written down."""
        if (method, path) == ("POST", "/orders/"):
            self._journal.note("attempt", key=key, user_id=self._user_id)
        status, answer = super().ask(method, path, body, key=key)
        if (method, path) == ("POST", "/orders/"):
            told = {"order_id": answer["id"]} if status == 202 else {}
            self._journal.note("answer", key=key, status=status, **told)
        elif method == "GET" and path.startswith("/orders/") and status == 200:
            self._journal.note("seen", order_id=answer["id"], order_status=answer["status"])
        if status == 503:
            sleep(_RETRY_AFTER_SECONDS)
        return status, answer


class Buyers:
    """So many orders, shared among a few customers who wait for the end of what is paid without trouble."""

    def __init__(self, shop: Shop, *, orders: int, journal: Path) -> None:
        self._shop = shop
        self._numbers = iter(range(orders))
        self.journal = Journal(journal)
        self.acknowledged: list[str] = []
        self.failures: list[str] = []

    def buy(self) -> None:
        """Be one of the customers, until every order is placed."""
        buyer = _Buyer(self._shop.port, self.journal)
        try:
            for number in self._numbers:
                self._order(buyer, number)
        except AssertionError as error:
            self.failures.append(str(error))

    def _order(self, buyer: _Buyer, number: int) -> None:
        buyer.stay_signed_in()
        method = method_of(number)
        status, body = buyer.order(method, product=number % 40 + 1)
        if status != 202:
            self.failures.append(f"{status} {body}")
            return
        self.acknowledged.append(body["id"])
        if method in _WEARY:  # what becomes of it is the shop's to find out
            buyer.insist("POST", f"/orders/{body['id']}/cancel/")
        if method == "tok_ok":
            buyer.end_of(body["id"], seconds=_PATIENCE_SECONDS, pause=0.25)


@contextmanager
def buyers(shop: Shop, *, orders: int, size: int, journal: Path) -> Iterator[tuple[Buyers, list[threading.Thread]]]:
    """Let them order; the block ends when all have."""
    found = Buyers(shop, orders=orders, journal=journal)
    threads = [threading.Thread(target=found.buy) for _ in range(size)]
    for thread in threads:
        thread.start()
    try:
        yield found, threads
    finally:
        for thread in threads:
            thread.join()
