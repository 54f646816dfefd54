"""Payments as their payers and staff see them, and refunds by staff."""

import logging
from typing import Any
from uuid import UUID

from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from bandstand.auth.rest import SignedIn, Staff, owned, principal_of
from bandstand.errors import NotAuthenticated, NotFound
from bandstand.web import etags, idempotency
from bandstand.web.fields import LARGEST_AMOUNT, DateTimeField, IntegerField, MoneyField, TextField, UUIDField
from bandstand.web.openapi import Endpoint
from bandstand.web.serializers import StrictSerializer
from bandstand.web.views import StrictAPIView
from payments import clients, commands, queries
from payments.errors import DifferentRefund, RefundExceedsPayment
from payments.models import Refund

log = logging.getLogger(__name__)


class PaymentAnswer(StrictSerializer):
    """A payment."""

    id = UUIDField()
    order_id = UUIDField()
    user_id = UUIDField()
    amount = MoneyField(columns=("amount_minor", "currency"))
    state = TextField()
    refunded = MoneyField(columns=("given_back_minor", "currency"))
    created_at = DateTimeField()
    updated_at = DateTimeField()


class WishedRefund(StrictSerializer):
    """How much to give back, in minor units; all that is left without an amount."""

    amount = IntegerField(min_value=1, max_value=LARGEST_AMOUNT, required=False)


class RefundAnswer(StrictSerializer):
    """A refund the provider has confirmed."""

    id = UUIDField()
    payment_id = UUIDField()
    amount = IntegerField(source="amount_minor")
    created_at = DateTimeField()


class PaymentsView(StrictAPIView):
    """`/payments/`."""

    permission_classes = [SignedIn]

    @Endpoint(
        summary="List your payments; staff see everybody's",
        answers={200: PaymentAnswer(many=True)},
        paginated=True,
    )
    def get(self, request: Request) -> Response:
        """List payments, newest first."""
        paginator: Any = self.settings.DEFAULT_PAGINATION_CLASS()
        page = paginator.paginate_queryset(owned(queries.payments(), _principal(request)), request, self)
        answer: Response = paginator.get_paginated_response(PaymentAnswer(page, many=True).data)
        return answer


class PaymentView(StrictAPIView):
    """`/payments/{id}/`."""

    permission_classes = [SignedIn]

    @Endpoint(summary="Show a payment", answers={200: PaymentAnswer}, etag=True)
    def get(self, request: Request, payment_id: UUID) -> Response:
        """Show one payment."""
        payment = owned(queries.payments(), _principal(request)).filter(pk=payment_id).first()
        if payment is None:
            raise NotFound
        return etags.tagged(Response(PaymentAnswer(payment).data), etags.etag(payment.pk, payment.updated_at))


class RefundsView(StrictAPIView):
    """`/payments/{id}/refunds/`."""

    permission_classes = [Staff]

    @Endpoint(
        summary="Give money back",
        body=WishedRefund,
        answers={201: RefundAnswer},
        errors=(RefundExceedsPayment, DifferentRefund),
        idempotency="accepted",
    )
    def post(self, request: Request, payment_id: UUID) -> HttpResponseBase:
        """Refund all that is left, or a part of it; what the provider did not confirm is asked for again later."""
        wish = WishedRefund(data=request.data)
        wish.is_valid(raise_exception=True)
        claim = idempotency.begin(request)
        if claim.replay is not None:
            return claim.replay
        refund = commands.intend_refund(
            payment_id=payment_id, amount_minor=wish.validated_data.get("amount"), request_key=claim.scope or None
        )
        _give_back(refund)
        with claim.answering() as answer:
            done = commands.record_refund(refund_id=refund.id)
            return answer(Response(RefundAnswer(done).data, status=201))


def _give_back(refund: Refund) -> None:
    """Have the provider give the money back. Whatever else this raises leaves the refund open."""
    is_done = clients.refund(refund.payment.key, refund_key=refund.id, amount=refund.amount_minor)
    if not is_done:
        log.error("refund.refused", extra={"refund_id": str(refund.id), "key": refund.payment.key})
        commands.refuse_refund(refund_id=refund.id)
        raise RefundExceedsPayment("The provider has no such money left to give back.")


def _principal(request: Request) -> Any:
    principal = principal_of(request)
    if principal is None:
        raise NotAuthenticated
    return principal
