"""The loop that compares our books with the provider's, and finishes what was left half done."""

import logging
import threading
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TypeVar

from bandstand import clock
from bandstand.errors import ExternalServiceError, ServiceError
from bandstand.lifecycle import Loop
from payments import clients, commands, queries
from payments.config import payments_config
from payments.models import Payment, Refund, State

log = logging.getLogger(__name__)

T = TypeVar("T")

_OPEN_FOR = timedelta(seconds=10)
_BATCH = 100
_OVERLAP = timedelta(seconds=5)
_FIRST_LOOK_BACK = timedelta(hours=1)
_MOST_REMEMBERED = 1000


class ReconciliationLoop(Loop):
    """Settle what crashes and lost answers left open, and undo charges that our books do not know as paid.

    A round costs a request for each payment that is open for ten seconds, and the list of the charges that changed
    since the last round.
    """

    name = "reconciliation"

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._is_cut_off = False
        self._reported: set[str] = set()

    def run(self, stop: threading.Event) -> None:
        """Reconcile now and then every `PAYMENT_RECONCILE_EVERY_SECONDS` until *stop*."""
        self._stop = stop
        while not stop.is_set():
            with self.iteration():
                self._round()
            self._rest(payments_config().reconcile_every)

    def reconcile(self) -> None:
        """Do one round. Raises ServiceError when the provider does not answer."""
        config = payments_config()
        if config.webhook_url:
            clients.register_webhook(url=config.webhook_url, secret=config.webhook_secret.reveal())
        self._each(queries.unsettled(older_than=_OPEN_FOR, limit=_BATCH), _settle_payment)
        self._each(queries.open_refunds(older_than=_OPEN_FOR, limit=_BATCH), _settle_refund)
        self._compare()

    def _round(self) -> None:
        try:
            self.reconcile()
        except ServiceError as error:  # the provider is away: the next round asks again
            if not self._is_cut_off:
                log.warning("reconciliation.cut_off", extra={"error_code": error.code})
            self._is_cut_off = True
        else:
            if self._is_cut_off:
                log.info("reconciliation.resumed")
            self._is_cut_off = False

    def _rest(self, pause: timedelta) -> None:
        """Wait with a heartbeat, however long the pause."""
        until = clock.monotonic() + pause.total_seconds()
        while not self._stop.is_set() and (left := until - clock.monotonic()) > 0:
            self.beat()
            self._stop.wait(min(left, self.stall_after.total_seconds() / 2))

    def _each(self, found: Iterable[T], settle: Callable[[T], None]) -> None:
        """Settle one after the other; what the provider does not understand of one holds up no other."""
        for one in found:
            if self._stop.is_set():
                return
            self.beat()
            try:
                settle(one)
            except ExternalServiceError as error:
                if getattr(error, "status_code", 0) >= 500:
                    raise
                self._report("reconciliation.not_understood", key=str(one), reason=error.message)

    def _compare(self) -> None:
        known_until = queries.compared_until()
        since = known_until - _OVERLAP if known_until else clock.now() - _FIRST_LOOK_BACK
        seen = [known_until] if known_until else []
        for charges in clients.charges_since(since):
            captured = [charge.key for charge in charges if charge.state == "captured"]
            states = queries.states_of(captured)
            self._each((key for key in captured if states.get(key) in _CONTRADICTIONS), self._undo)
            for key in (key for key in captured if key not in states):
                self._report("reconciliation.orphan_charge", key=key)  # perhaps another shop's: a person must look
            seen.extend(charge.updated_at for charge in charges)
            if self._stop.is_set():
                return
        if seen and max(seen) != known_until:
            commands.note_comparison(until=max(seen))

    def _undo(self, key: str) -> None:
        self._report("reconciliation.captured_after_cancel", key=key)
        clients.cancel_charge(key)

    def _report(self, event: str, *, key: str, **facts: object) -> None:
        """Call for a person, once for each key and process."""
        if len(self._reported) >= _MOST_REMEMBERED:
            self._reported.clear()
        if f"{event} {key}" not in self._reported:
            self._reported.add(f"{event} {key}")
            log.error(event, extra={"key": key, **facts})


_CONTRADICTIONS = frozenset({State.CANCELLED, State.DECLINED})
"""States in which nothing may have been taken."""


def _settle_payment(payment: Payment) -> None:
    """Ask for the missing word. A charge the provider never heard of is the caller's to repeat or to cancel."""
    if payment.cancel_requested:
        answer: clients.ChargeAnswer | None = clients.cancel_charge(payment.key)
    else:
        answer = clients.charge_of(payment.key)
    if answer is None or answer.state == "pending":
        return
    if answer.state == "captured":
        commands.record_capture(key=payment.key, amount_minor=answer.amount, currency=answer.currency)
    elif answer.state == "declined":
        commands.record_decline(key=payment.key, reason=answer.reason)
    else:
        commands.record_cancel(key=payment.key, refunded=answer.state == "refunded")


def _settle_refund(refund: Refund) -> None:
    if clients.refund(refund.payment.key, refund_key=refund.id, amount=refund.amount_minor):
        commands.record_refund(refund_id=refund.id)
    else:
        commands.refuse_refund(refund_id=refund.id)
