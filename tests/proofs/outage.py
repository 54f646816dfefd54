"""The payment provider is away for five minutes while orders come in, and comes back: `python -m tests.proofs.outage`.

Nothing may end meanwhile that payments has not settled, the list of sagas must say whom they wait for, and everything
must end well after the return. The long form rewrites the marked block of the page with what it saw.
"""

import argparse
import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.report import machine, write

from bandstand.clock import monotonic, sleep
from tests.chaos.provider_process import ProviderProcess
from tests.fleet.shops import ROOT, Customer, Shop
from tests.fleet_unit.fleets import until
from tests.proofs import books, page

__all__ = ["PAGE", "SAGAS", "Found", "Plan", "play"]

SAGAS = ("bandstand", "sagas")
"""The command that the page shows."""

PAGE = ROOT / "docs" / "explanation" / "when-the-payment-provider-is-down.md"
_LATECOMERS = 3
"""Orders that come in just before the provider returns."""

_TO_END_SECONDS = 90
"""An undo that failed often is tried once a minute."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long the provider is away, and how orders come in. `silent`: it takes connections and never answers.

    `deadline` is that of the orders: those older than it at the return are cancelled, the others are paid.
    """

    away: float = 300.0
    deadline: int = 120
    every: float = 10.0
    silent: bool = False


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a person sees who asks at that second of the outage."""

    second: float
    listed: str


@dataclass(kw_only=True)
class Found:
    """What happened. `unconfirmed` are orders that ended before payments knew what had become of their money."""

    placed: list[str] = field(default_factory=list)
    unconfirmed: set[str] = field(default_factory=set)
    ended_meanwhile: int = 0
    looks: list[Look] = field(default_factory=list)
    oldest: str = ""
    ended_after_seconds: float = 0.0
    ends: dict[str, int] = field(default_factory=dict)


@contextmanager
def stage(deadline: int, folder: Path) -> Iterator[tuple[Shop, ProviderProcess]]:
    """A shop, and the provider as a process of our own, which nobody starts again."""
    shop = Shop(folder)
    with own_provider(folder / "ledger.jsonl") as provider:
        try:
            shop.up(PAYMENT_PROVIDER_URL=provider.url, ORDERS_DEADLINE_SECONDS=str(deadline))
            yield shop, provider
        finally:
            shop.down()


@contextmanager
def own_provider(ledger: Path) -> Iterator[ProviderProcess]:
    """A provider of nobody's fleet: whoever stops it has stopped it."""
    provider = ProviderProcess(ledger)
    try:
        yield provider
    finally:
        if provider.process.returncode is None:
            provider.process.send_signal(signal.SIGCONT)
            provider.stop()


def play(plan: Plan, shop: Shop, provider: ProviderProcess) -> Found:
    """Let the provider go, take orders, let it come back, wait for the end, audit."""
    found, customer, status = Found(), shop.customer(), shop.status
    assert customer.end_of(customer.order()[1]["id"])["status"] == "confirmed"
    _leave(provider, silent=plan.silent)
    _while_away(plan, shop, customer, found)
    found.placed += [customer.order()[1]["id"] for _ in range(_LATECOMERS)]
    _return(provider, silent=plan.silent)
    began = monotonic()
    until(lambda: not books.live_sagas(status), seconds=_TO_END_SECONDS, what="the end of every saga", pause=0.2)
    found.ended_after_seconds = round(monotonic() - began, 1)
    found.looks.append(Look(second=plan.away + found.ended_after_seconds, listed=sagas(shop, "list")))
    found.ends = dict(Counter(books.order_states(status)[order] for order in found.placed))
    shop.audit()
    return found


def _leave(provider: ProviderProcess, *, silent: bool) -> None:
    if silent:
        os.kill(provider.process.pid, signal.SIGSTOP)
    else:
        provider.kill()


def _return(provider: ProviderProcess, *, silent: bool) -> None:
    if silent:
        os.kill(provider.process.pid, signal.SIGCONT)
    else:
        provider.start()


def _while_away(plan: Plan, shop: Shop, customer: Customer, found: Found) -> None:
    began, status = monotonic(), shop.status
    moments = [min(15.0, plan.away / 2), plan.deadline + min(30.0, plan.deadline / 2)]
    while (now := monotonic() - began) < plan.away:
        if now >= len(found.placed) * plan.every:
            accepted, order = customer.order()
            assert accepted == 202, order
            found.placed.append(order["id"])
        if moments and now >= moments[0]:
            moments.pop(0)
            found.looks.append(Look(second=round(now), listed=sagas(shop, "list")))
        found.unconfirmed |= {*books.unconfirmed_ends(status)}
        sleep(0.2)
    listed = until(lambda: _told(shop), seconds=30, what="a reason for every saga that waits")
    found.looks.append(Look(second=round(monotonic() - began), listed=listed))
    live = books.live_sagas(status)
    found.ended_meanwhile = len(found.placed) - len(live)
    found.oldest = sagas(shop, "show", min(live, key=lambda saga: saga.saga_id).saga_id)


def _told(shop: Shop) -> str:
    """The list, once each of its lines says whom the saga waits for."""
    listed = sagas(shop, "list")
    _, *sagas_listed = listed.splitlines()
    silent = [line for line in sagas_listed if "provider" not in line and "in time" not in line]
    return "" if silent else listed


def sagas(shop: Shop, *words: str) -> str:
    """What the command says."""
    done = shop.run(*SAGAS[1:], *words)
    assert done.returncode == 0, done.stderr
    said: str = done.stdout
    return said


def main() -> int:
    """Play it with the given outage; the whole five minutes are written down. 1 when something ended unconfirmed."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.outage", description=__doc__)
    parser.add_argument("--away", type=float, default=Plan.away, help="seconds without a provider")
    parser.add_argument("--deadline", type=int, default=Plan.deadline, help="ORDERS_DEADLINE_SECONDS")
    parser.add_argument("--every", type=float, default=Plan.every, help="seconds between two orders")
    parser.add_argument("--silent", action="store_true", help="it takes connections and never answers")
    plan = Plan(**vars(parser.parse_args()))
    with (
        tempfile.TemporaryDirectory(prefix="bandstand-outage-") as folder,
        stage(plan.deadline, Path(folder)) as (shop, provider),
    ):
        found = play(plan, shop, provider)
    figures = {"plan": asdict(plan), "orders": len(found.placed), "unconfirmed": len(found.unconfirmed)}
    figures |= {"ended_meanwhile": found.ended_meanwhile, "ended_after_seconds": found.ended_after_seconds}
    result = {"machine": machine(), **figures, "ends": found.ends}
    if plan.away >= Plan.away:
        write("outage-silent" if plan.silent else "outage", result)
        if not plan.silent:
            page.rewrite(PAGE, page.told(found, command=SAGAS))
    else:
        print(result)
    return 1 if found.unconfirmed else 0


if __name__ == "__main__":
    sys.exit(main())
