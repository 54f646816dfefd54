"""`bandstand demo`."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from bandstand.chaos.audit import Report, as_text, audit_at_rest, read_consumers
from bandstand.cli.down import take_down
from bandstand.cli.failures import Exit
from bandstand.cli.journey import Placed, shop_around
from bandstand.cli.launching import run_launcher
from bandstand.cli.options import Selection, fleet_options, profile_option, question
from bandstand.cli.output import mark, say
from bandstand.cli.places import own_places
from bandstand.cli.story import story_of
from bandstand.clock import monotonic
from bandstand.engines.ports import free_port

__all__ = ["command"]

_METHODS = {
    "tok_ok": "paid at once",
    "tok_declined": "declined by the bank",
    "tok_lost": "charged, but the reply is lost",
}
_REST = timedelta(seconds=30)


@click.command("demo")
@fleet_options
@click.option("--port", type=click.IntRange(1, 65535), help="The gateway's port; default: a free one.")
@profile_option
@click.option("--keep", is_flag=True, help="Keep the data folder and the databases of the demonstration.")
def command(selection: Selection, port: int | None, profile: str, keep: bool) -> int:
    """Bring up a fleet of its own, place orders through it, check the invariants, take it down.

    Exit code 0 only when every order ended as it must and every invariant holds.
    """
    began, is_kept = monotonic(), keep or selection.data_path is not None
    with _folder(selection, keep=keep) as chosen, own_places(chosen, kept=is_kept) as places:
        say(f"Bringing the fleet up in {chosen.data.root}")
        launcher = run_launcher(chosen, port=port or free_port(), seed=True, profile=profile, bound=True, env=places)
        try:
            good = _show(chosen, question(chosen, {"do": "status"}))
        finally:
            say("\nTaking the fleet down")
            take_down(chosen, timeout=40, pid=launcher)
    say(f"\n{mark(good=good)} {'everything as it must be' if good else 'NOT as it must be'}, "
        f"{monotonic() - began:.1f} s in all")  # fmt: skip
    return Exit.OK if good else Exit.FAILED


@contextmanager
def _folder(selection: Selection, *, keep: bool) -> Iterator[Selection]:
    """The folder that was asked for, else a new one that goes when the demonstration ends."""
    manifest = selection.fleet.file
    if selection.data_path or keep:
        yield replace(selection, manifest=manifest, data_path=selection.data_path or Path(tempfile.mkdtemp()))
        return
    with tempfile.TemporaryDirectory(prefix="bandstand-demo-") as folder:
        yield replace(selection, manifest=manifest, data_path=Path(folder))


def _show(selection: Selection, status: dict[str, Any]) -> bool:
    say(f"\nShopping through the gateway at {status['gateway']}")
    placed = shop_around(status["gateway"], tuple(_METHODS), lambda line: say(f"  {line}"))
    consumers = read_consumers(selection.fleet.root / "contracts" / "consumers.json")
    report = audit_at_rest(status, wait=_REST, consumers=consumers)
    good = True
    for each in placed:
        verdict = _verdict(each, report)
        good = good and verdict[0]
        _tell(each, report, *verdict)
    say("\nInvariants of the whole shop")
    for line in as_text(report):
        say(f"  {line}")
    return good and report.holds


def _tell(placed: Placed, report: Report, as_expected: bool, verdict: str) -> None:
    order = placed.order
    say(f"\nOrder {order['id']}  {placed.method}: {_METHODS[placed.method]}")
    for line in story_of(report.facts, order["id"]):
        say(f"  {line}")
    say(f"  accepted in {placed.accepted_seconds * 1000:.0f} ms, ended after {placed.ended_seconds:.2f} s")
    say(f"  {mark(good=as_expected)} {verdict}")


def _verdict(placed: Placed, report: Report) -> tuple[bool, str]:
    """Whether the order ended as it must, and what that means: status, money at the provider, stock."""
    order = placed.order
    charges = report.facts.charges_of_order.get(order["id"], [])
    kept = sum(charge.captured - charge.refunded for charge in charges)
    times = sum(1 for charge in charges if charge.captured > charge.refunded)
    due = order["total"]["amount"] if order["status"] == "confirmed" else 0
    taken = 1 if order["status"] == "confirmed" else 0
    expected = {"tok_ok": ("confirmed",), "tok_declined": ("rejected",), "tok_lost": ("confirmed", "cancelled")}
    good = order["status"] in expected[placed.method] and kept == due and times <= 1 and placed.stock_taken == taken
    money = f"charged {'once' if times == 1 else f'{times} times'} ({kept / 100:.2f} {order['total']['currency']})"
    reason = f" ({order['reason']})" if order["reason"] else ""
    stock = "1 unit sold" if placed.stock_taken == 1 else f"stock went down by {placed.stock_taken}: released"
    return good, f"{order['status']}{reason}, {money if times else 'nothing charged'}, {stock}"
