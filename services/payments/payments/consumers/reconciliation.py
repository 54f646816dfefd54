"""The loop that compares our books with the provider's, and finishes what was left half done."""

import logging
import threading
from datetime import datetime, timedelta

from bandstand import clock
from bandstand.errors import ServiceError
from bandstand.lifecycle import Loop
from payments import clients, commands, queries
from payments.config import payments_config
from payments.models import State

log = logging.getLogger(__name__)

_OPEN_FOR = timedelta(seconds=10)
_BATCH = 100
_OVERLAP = timedelta(seconds=5)


class ReconciliationLoop(Loop):
    """Register our webhook, repeat open cancels and refunds, and take in what the provider did without telling us."""

    name = "reconciliation"

    def __init__(self) -> None:
        self._compared_until: datetime = clock.now() - timedelta(hours=1)

    def run(self, stop: threading.Event) -> None:
        """Reconcile now and then every `PAYMENT_RECONCILE_EVERY_SECONDS` until *stop*."""
        while not stop.is_set():
            with self.iteration():
                try:
                    self.reconcile()
                except ServiceError as error:  # the provider is away: the next round asks again
                    log.warning("reconciliation.postponed", extra={"error_code": error.code})
            stop.wait(payments_config().reconcile_every.total_seconds())

    def reconcile(self) -> None:
        """Do one round. Raises ServiceError when the provider does not answer."""
        config = payments_config()
        if config.webhook_url:
            clients.register_webhook(url=config.webhook_url, secret=config.webhook_secret.reveal())
        for payment in queries.unsettled(older_than=_OPEN_FOR, limit=_BATCH):
            if payment.cancel_requested:
                answer = clients.cancel_charge(payment.key)
                commands.record_cancel(key=payment.key, refunded=answer.state == "refunded")
        for refund in queries.open_refunds(older_than=_OPEN_FOR, limit=_BATCH):
            clients.refund(refund.payment.key, refund_key=refund.id, amount=refund.amount_minor)
            commands.record_refund(refund_id=refund.id)
        self._compare()

    def _compare(self) -> None:
        began = clock.now()
        for charges in clients.charges_since(self._compared_until):
            captured = [charge.key for charge in charges if charge.state == State.CAPTURED]
            known = queries.states_of(captured)
            for key in captured:
                _follow(key, known.get(key))
        self._compared_until = began - _OVERLAP


def _follow(key: str, state: str | None) -> None:
    """Take in a capture that we have not heard of; undo one that came after its cancel."""
    if state is None:
        log.error("reconciliation.orphan_charge", extra={"key": key})
    elif state == State.PENDING:
        commands.record_capture(key=key)
    elif state == State.CANCELLED:
        log.error("reconciliation.captured_after_cancel", extra={"key": key})
        clients.cancel_charge(key)
