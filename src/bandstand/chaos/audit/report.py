"""The result of an audit, for people and for machines."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bandstand.chaos.audit.facts import Facts
from bandstand.chaos.audit.invariants import Invariant, Violation
from bandstand.chaos.audit.timeline import timeline
from bandstand.clock import rfc3339

__all__ = ["Finding", "Report", "as_json", "as_text"]

_SHOWN = 10  # violations of one invariant shown to a person; the JSON has all


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one invariant found over *checked* things, or which of its sources were *absent*."""

    invariant: Invariant
    checked: int
    violations: tuple[Violation, ...]
    absent: tuple[str, ...]

    @property
    def was_asked(self) -> bool:
        """Whether the caller asked for this check: I8 only with a journal."""
        return "journal" not in self.absent

    @property
    def holds(self) -> bool:
        """Whether the invariant holds. What could not be checked does not hold."""
        return not self.violations and (not self.absent or not self.was_asked)


@dataclass(frozen=True, kw_only=True)
class Report:
    """All findings over one set of facts, and what was *pending* when they were read."""

    facts: Facts
    findings: tuple[Finding, ...]
    pending: dict[str, int]

    @property
    def is_quiescent(self) -> bool:
        """Whether nothing was under way."""
        return not self.pending

    @property
    def holds(self) -> bool:
        """Whether every invariant holds, at a quiescent point."""
        return self.is_quiescent and all(finding.holds for finding in self.findings)

    @property
    def only_lags(self) -> bool:
        """Whether all that does not hold yet may hold in a moment."""
        return all(finding.holds or (finding.invariant.lags and not finding.absent) for finding in self.findings)


def as_json(report: Report) -> dict[str, Any]:
    """The report for machines; every violation has its order's timeline."""
    facts = report.facts
    return {
        "holds": report.holds,
        "quiescent": report.is_quiescent,
        "pending": report.pending,
        "at": rfc3339(facts.at),
        "orders": len(facts.orders),
        "invariants": [
            {
                "id": finding.invariant.id,
                "claim": finding.invariant.claim,
                "holds": finding.holds if finding.was_asked else None,
                "checked": finding.checked,
                "absent": list(finding.absent),
                "violations": [_violation(facts, violation) for violation in finding.violations],
            }
            for finding in report.findings
        ],
    }


def _violation(facts: Facts, violation: Violation) -> dict[str, Any]:
    order_id = violation.order_id if violation.order_id in facts.order_by_id else ""
    told = {"timeline": timeline(facts, order_id)} if order_id else {}
    return {"what": violation.what, "subject": violation.subject, "order_id": violation.order_id or None, **told}


def as_text(report: Report) -> Iterator[str]:
    """The report for people, line by line: a table, then each violation with its order's timeline."""
    for finding in report.findings:
        invariant = finding.invariant
        sign = "-" if not finding.was_asked else "✓" if finding.holds else "✗"
        yield f"{sign} {invariant.id:<4} {invariant.claim:<62} {finding.checked:>7} {_result(finding)}".rstrip()
    told: set[str] = set()
    for finding in report.findings:
        for violation in finding.violations[:_SHOWN]:
            yield ""
            yield f"✗ {finding.invariant.id} {violation.subject}: {violation.what}"
            if violation.order_id in report.facts.order_by_id and violation.order_id not in told:
                told.add(violation.order_id)
                yield from (f"    {line}" for line in timeline(report.facts, violation.order_id))
    yield ""
    yield _verdict(report)


def _result(finding: Finding) -> str:
    if not finding.was_asked:
        return "no journal given"
    if finding.absent:
        return f"not checked: {', '.join(finding.absent)} absent"
    if finding.violations:
        return f"{len(finding.violations)} violated"
    return ""


def _verdict(report: Report) -> str:
    if report.holds:
        return f"All invariants hold over {len(report.facts.orders)} orders."
    if not report.is_quiescent:
        pending = ", ".join(f"{count} {what}" for what, count in report.pending.items())
        return f"The fleet is not at rest: {pending}."
    broken = sum(not finding.holds for finding in report.findings)
    return f"{broken} of {len(report.findings)} checks do not hold."
