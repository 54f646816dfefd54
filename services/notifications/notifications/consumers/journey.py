"""What is expected of a placed order across the services, and missed when it does not come."""

from datetime import timedelta
from uuid import UUID

from bandstand.events import Event
from bandstand.sagas.choreography import Choreography, either, maybe, then
from notifications.config import notifications_config

_SOON = timedelta(minutes=2)


class OrderPlaced(Event, name="orders.order_placed.v1"):
    """An order waits to be processed."""

    order_id: UUID


class OrderConfirmed(Event, name="orders.order_confirmed.v1"):
    """An order went through."""

    order_id: UUID


class OrderRejected(Event, name="orders.order_rejected.v1"):
    """An order did not go through."""

    order_id: UUID


class OrderCancelled(Event, name="orders.order_cancelled.v1"):
    """An order was called off."""

    order_id: UUID


class PaymentCaptured(Event, name="payments.payment_captured.v1"):
    """Money was taken."""

    order_id: UUID


class PaymentDeclined(Event, name="payments.payment_declined.v1"):
    """Nothing was taken."""

    order_id: UUID


class PaymentRefunded(Event, name="payments.payment_refunded.v1"):
    """Money was given back."""

    order_id: UUID


class OrderJourney(Choreography):
    """An order is paid and confirmed, or rejected, or called off; money that was taken in vain is given back.

    The saga in orders makes that happen. This looks on from another service, which still stands where orders does not:
    it misses an end that does not come, and notices an order that is confirmed and unpaid, or called off and paid.
    """

    name = "order_journey"
    key = "order_id"
    starts_on = OrderPlaced
    expects = (
        either(
            (PaymentCaptured, then(OrderConfirmed, within=_SOON), maybe(PaymentRefunded)),
            (maybe(PaymentDeclined), OrderRejected),
            (maybe(PaymentDeclined), OrderCancelled),
            # Payments does not announce a capture that it learns of while it cancels.
            (maybe(PaymentCaptured), PaymentRefunded, then(OrderCancelled, within=_SOON)),
            within=notifications_config().order_within,
        ),
    )
