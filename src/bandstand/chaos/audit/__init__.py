"""The invariant checker: what "correct" means for the shop, judged on its databases and at the payment provider.

It reads through the documented audit views only, never through the services' own reports.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from bandstand.chaos.audit.databases import DatabaseUnreadable, opened
from bandstand.chaos.audit.facts import FINAL_SAGA, Facts, JournalEntry
from bandstand.chaos.audit.invariants import INVARIANTS, Invariant
from bandstand.chaos.audit.reading import FactsUnreadable, gather, read_charges, read_consumers, read_journal
from bandstand.chaos.audit.report import Finding, Report, as_json, as_text
from bandstand.clock import monotonic, sleep

__all__ = [
    "Facts",
    "FactsUnreadable",
    "Report",
    "as_json",
    "as_text",
    "audit",
    "audit_at_rest",
    "judge",
    "pending",
    "read_charges",
    "read_consumers",
    "read_journal",
]

_LAG = timedelta(seconds=15)
_PAUSE_SECONDS = 0.25


def audit(
    status: Mapping[str, Any],
    *,
    consumers: Mapping[str, Iterable[str]] | None,
    journal: Iterable[JournalEntry] | None = None,
    expected_dead: int = 0,
) -> Report:
    """Check every invariant now over the fleet that *status* (of `bandstand status --json`) describes."""
    waiting = pending(status)
    return judge(gather(status, consumers=consumers, journal=journal, expected_dead=expected_dead), waiting=waiting)


def audit_at_rest(
    status: Mapping[str, Any],
    *,
    wait: timedelta,
    consumers: Mapping[str, Iterable[str]] | None,
    journal: Iterable[JournalEntry] | None = None,
    expected_dead: int = 0,
) -> Report:
    """Wait until nothing is under way, at most *wait*, then check.

    Consumers and read models follow a moment after the last order has ended, so what only they break is looked at
    again for some seconds before it counts.
    """
    until = monotonic() + wait.total_seconds()
    while pending(status) and monotonic() < until:
        sleep(_PAUSE_SECONDS)
    until = min(until, monotonic() + _LAG.total_seconds())
    while True:
        report = audit(status, consumers=consumers, journal=journal, expected_dead=expected_dead)
        if report.holds or monotonic() >= until or (report.is_quiescent and not report.only_lags):
            return report
        sleep(_PAUSE_SECONDS)


def pending(status: Mapping[str, Any]) -> dict[str, int]:
    """What is still under way: `{"events to deliver": 3, "live sagas": 1, "pending orders": 1}`; empty at rest."""
    final = ", ".join(f"'{state}'" for state in sorted(FINAL_SAGA))
    looked_at = (
        ("events to deliver", "audit_outbox", "state = 'pending'"),
        ("live sagas", "audit_sagas", f"state NOT IN ({final})"),
        ("pending orders", "audit_orders", "status = 'pending'"),
    )
    found: dict[str, int] = {}
    for entry in status["services"].values():
        try:
            with opened(entry["database"]) as database:
                for what, view, condition in looked_at:
                    if database.has(view):
                        found[what] = found.get(what, 0) + database.count(view, condition)
        except DatabaseUnreadable:
            found["unreadable databases"] = found.get("unreadable databases", 0) + 1
    return {what: count for what, count in found.items() if count}


def judge(facts: Facts, *, waiting: Mapping[str, int] | None = None) -> Report:
    """Check every invariant over *facts*: a pure function."""
    findings = tuple(_finding(invariant, facts) for invariant in INVARIANTS)
    return Report(facts=facts, findings=findings, pending=dict(waiting or {}))


def _finding(invariant: Invariant, facts: Facts) -> Finding:
    absent = tuple(sorted(source for need in invariant.needs for source in _absent(facts, need)))
    violations = () if absent else tuple(invariant.check(facts))
    return Finding(invariant=invariant, checked=invariant.counts(facts), violations=violations, absent=absent)


def _absent(facts: Facts, need: str) -> Iterable[str]:
    if need.startswith("*."):
        return [source for source in facts.absent if source.endswith(need[1:])]
    return [need] if need in facts.absent else []
