"""What payments does by itself: it settles what a crash or a lost answer left open."""

from bandstand.lifecycle import register_loop
from payments.consumers.reconciliation import ReconciliationLoop

__all__ = ["ReconciliationLoop"]

register_loop("reconciliation", ReconciliationLoop)
