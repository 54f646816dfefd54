"""What this process says of itself: alive, ready, started, and a full report. Never a word about another service."""

from bandstand.health.checks import Check, CheckResult, register_check
from bandstand.health.probes import (
    Probe,
    forget_liveness,
    liveness,
    readiness,
    register_liveness,
    report,
    restore,
    startup,
    withdraw,
)

__all__ = [
    "Check",
    "CheckResult",
    "Probe",
    "forget_liveness",
    "liveness",
    "readiness",
    "register_check",
    "register_liveness",
    "report",
    "restore",
    "startup",
    "withdraw",
]
