"""How an order is processed: validate the user, hold stock, take the money, sell the stock, confirm."""

import logging
from typing import Any
from uuid import UUID

from bandstand.errors import Conflict, NotFound
from bandstand.events import Envelope, subscribe_locally
from bandstand.sagas import Saga, SagaExecution, SagaStatus, SagaStep, StepCall, StepKind, StepRefused, request_cancel
from orders import clients, commands, queries
from orders.config import orders_config
from orders.events import OrderCancellationRequested, OrderPlaced

log = logging.getLogger(__name__)

# Participants' refusals carry these names themselves: a rule, a conflict, or the code of their error.
_REJECTIONS = frozenset({"insufficient_stock", "payment_declined", "user_inactive", "user_unknown"})
_CANCELLATIONS = frozenset({"requested", "deadline"})

_config = orders_config()


def validate_user(call: StepCall) -> None:
    """Refuse orders of users who are gone or deactivated."""
    try:
        user = clients.user(call.context["user_id"])
    except NotFound as error:
        raise StepRefused("user_unknown") from error
    if not user.is_active:
        raise StepRefused("user_inactive")


def reserve_stock(call: StepCall) -> None:
    """Hold the order's units; repeated while the saga lives, which renews the hold."""
    lines = [clients.ReservationLine(**line) for line in call.context["lines"]]
    try:
        clients.reserve(call.key, order_id=call.context["order_id"], lines=lines, ttl=_config.reservation_ttl)
    except NotFound as error:  # inventory has not heard of the product yet: it has no stock
        raise StepRefused("insufficient_stock") from error
    except Conflict as error:  # the hold ran out while nobody renewed it
        raise StepRefused("deadline") from error


def release_stock(call: StepCall) -> None:
    """Give the units back."""
    clients.release(call.key)


def capture_payment(call: StepCall) -> None:
    """Take the money. The payment method is read from the order, it is in no event and no saga."""
    order = queries.order(UUID(call.context["order_id"]))
    try:
        clients.capture(
            call.key,
            order_id=str(order.id),
            user_id=str(order.user_id),
            money=clients.Price(amount=order.total_minor, currency=order.currency),
            payment_method=order.payment_method,
        )
    except Conflict as error:  # the key was cancelled by another hand than this saga's
        raise StepRefused("deadline") from error


def cancel_payment(call: StepCall) -> None:
    """Make sure the money is not, or no longer, taken."""
    clients.cancel_payment(call.key)


def commit_stock(call: StepCall) -> None:
    """Turn the held units into sold ones."""
    clients.commit(f"{call.saga_id}:reserve_stock")


def confirm_order(call: StepCall) -> None:
    """Move the order to confirmed, in the transaction that ends the saga."""
    commands.confirm_order(order_id=UUID(call.context["order_id"]))


class OrderProcessingSaga(Saga):
    """One for each placed order, begun in the transaction that placed it."""

    name = "order_processing"
    starts_on = OrderPlaced
    deadline = _config.deadline
    steps = (
        SagaStep("validate_user", do=validate_user, no_undo="it only reads", timeout=_config.deadline),
        SagaStep(
            "reserve_stock",
            do=reserve_stock,
            undo=release_stock,
            timeout=_config.deadline,
            renew_every=_config.reservation_ttl / 3,
        ),
        SagaStep(
            "capture_payment", kind=StepKind.PIVOT, do=capture_payment, undo=cancel_payment, timeout=_config.deadline
        ),
        SagaStep("commit_stock", kind=StepKind.RETRIABLE, do=commit_stock),
        SagaStep("confirm_order", kind=StepKind.RETRIABLE, local=True, do=confirm_order),
    )

    def begin(self, event: OrderPlaced) -> tuple[str, dict[str, Any]]:
        """Name the saga after its order, and keep what its steps need."""
        lines = [{"product_id": str(line.product_id), "quantity": line.quantity} for line in event.lines]
        order_id = str(event.order_id)
        return order_id, {"order_id": order_id, "user_id": str(event.user_id), "lines": lines}

    def ended(self, execution: SagaExecution) -> None:
        """Reject or cancel the order of a saga that was undone, in the transaction that ends it."""
        if execution.status == SagaStatus.COMPLETED:
            return
        order_id, reason = UUID(execution.business_key), execution.reason
        if reason in _REJECTIONS:
            commands.reject_order(order_id=order_id, reason=reason)
            return
        if reason not in _CANCELLATIONS:  # a participant refused for no reason of the contract: a fault of ours
            log.error("order.refused_unexpectedly", extra={"order_id": str(order_id), "reason": reason})
            reason = "deadline"
        commands.cancel_order(order_id=order_id, reason=reason)


def _cancel(event: OrderCancellationRequested, _: Envelope) -> None:
    request_cancel(OrderProcessingSaga, business_key=str(event.order_id))


subscribe_locally(OrderCancellationRequested, _cancel)
