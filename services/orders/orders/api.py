"""The public API of orders: parse, one command or query, respond."""

from typing import Any, Literal
from uuid import UUID

import msgspec
from django.http.response import HttpResponseBase
from rest_framework import serializers as rest
from rest_framework.request import Request
from rest_framework.response import Response

from bandstand.auth.rest import Policy, SelfOrStaff, SignedIn, Staff, owned, principal_of
from bandstand.errors import NotAuthenticated, NotFound
from bandstand.replicas import fill
from bandstand.web import etags, idempotency
from bandstand.web.fields import DateField, DateTimeField, IntegerField, MoneyField, TextField, UUIDField
from bandstand.web.openapi import Endpoint
from bandstand.web.serializers import StrictSerializer
from bandstand.web.views import StrictAPIView
from orders import clients, commands, queries
from orders.errors import MixedCurrencies, OrderFinal, TotalTooLarge, UnknownProduct
from orders.models import CatalogueProduct, Order

_MOST_LINES = 50


class WishedLine(StrictSerializer):
    """A product and how many of it."""

    product_id = UUIDField()
    quantity = IntegerField(min_value=1, max_value=1000)


class PlaceOrder(StrictSerializer):
    """What the customer decides; prices, total and owner are the server's."""

    items = rest.ListField(child=WishedLine(), allow_empty=False, max_length=_MOST_LINES)
    payment_method = TextField(max_length=64)
    note = TextField(max_length=500, required=False, allow_blank=True, default="")

    def validate_items(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Refuse two lines of one product."""
        if len({item["product_id"] for item in items}) < len(items):
            raise rest.ValidationError("Name each product once.")
        return items


class Nothing(StrictSerializer):
    """A body without fields."""


class Line(StrictSerializer):
    """A line at the price of the moment of ordering."""

    product_id = UUIDField()
    sku = TextField()
    name = TextField()
    quantity = IntegerField()
    unit_price = MoneyField(columns=("unit_price_minor", "currency"))
    line_total = MoneyField(columns=("line_total_minor", "currency"))


class HistoryEntry(StrictSerializer):
    """What happened when."""

    at = DateTimeField()
    status = TextField()
    detail = TextField()


class OrderAnswer(StrictSerializer):
    """An order with its lines and history."""

    id = UUIDField()
    user_id = UUIDField()
    status = TextField()
    reason = TextField()
    items = Line(many=True, source="priced_lines")
    total = MoneyField(columns=("total_minor", "currency"))
    created_at = DateTimeField()
    updated_at = DateTimeField()
    history = HistoryEntry(many=True, source="told")


class Statistic(StrictSerializer):
    """How many orders of a day stand where, and over how much."""

    day = DateField()
    status = TextField()
    count = IntegerField()
    total = MoneyField(columns=("total_minor", "currency"))


class Statistics(StrictSerializer):
    """All days with orders."""

    results = Statistic(many=True)


class OrdersQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which orders to list; `user_id` is for staff."""

    status: Literal["pending", "confirmed", "rejected", "cancelled"] | None = None
    user_id: UUID | None = None


class OwnOrdersQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which of a user's orders to list."""

    status: Literal["pending", "confirmed", "rejected", "cancelled"] | None = None


class OrdersView(StrictAPIView):
    """`/orders/`."""

    permission_classes = [SignedIn]

    @Endpoint(
        summary="List your orders; staff see everybody's",
        answers={200: OrderAnswer(many=True)},
        query=OrdersQuery,
        staff_query=frozenset({"user_id"}),
        paginated=True,
    )
    def get(self, request: Request) -> Response:
        """List orders, newest first."""
        found = queries.orders(of_user=self.query.user_id, status=self.query.status)
        return _page(self, owned(found, _principal(request)), request)

    @Endpoint(
        summary="Place an order; its status follows",
        body=PlaceOrder,
        answers={202: OrderAnswer},
        errors=(UnknownProduct, MixedCurrencies, TotalTooLarge),
        idempotency="required",
    )
    def post(self, request: Request) -> HttpResponseBase:
        """Place an order: 202, the order is pending."""
        wish = PlaceOrder.read(request.data)
        claim = idempotency.begin(request, required=True)
        if claim.replay is not None:
            return claim.replay
        lines = [commands.WishedLine(**item) for item in wish["items"]]
        catalogue = _catalogue([line.product_id for line in lines])
        with claim.answering() as answer:
            order = commands.place_order(
                user_id=UUID(_principal(request).id),
                lines=lines,
                catalogue=catalogue,
                payment_method=wish["payment_method"],
                note=wish["note"],
            )
            location = f"/api/v1/orders/{order.id}/"
            return answer(Response(OrderAnswer.present(order), status=202, headers={"Location": location}))


class OrderView(StrictAPIView):
    """`/orders/{id}/`."""

    permission_classes = [SignedIn]

    @Endpoint(summary="Show an order with its history", answers={200: OrderAnswer}, etag=True)
    def get(self, request: Request, order_id: UUID) -> HttpResponseBase:
        """Show one order."""
        order = _own_order(request, order_id)
        tag = etags.etag(order.pk, order.revision)
        return etags.not_modified(request, tag) or etags.tagged(Response(OrderAnswer.present(order)), tag)


class CancelView(StrictAPIView):
    """`/orders/{id}/cancel/`."""

    permission_classes = [SignedIn]

    @Endpoint(summary="Wish to cancel a pending order", answers={202: OrderAnswer}, errors=(OrderFinal,))
    def post(self, request: Request, order_id: UUID) -> Response:
        """Record the wish; the order may still end confirmed if the payment has passed."""
        Nothing(data=request.data).is_valid(raise_exception=True)
        order = _own_order(request, order_id)
        commands.request_cancellation(order_id=order.id)
        return Response(OrderAnswer.present(_own_order(request, order_id)), status=202)


class StatisticsView(StrictAPIView):
    """`/orders/statistics/`."""

    permission_classes = [Staff]

    @Endpoint(summary="Count orders by day and status", answers={200: Statistics})
    def get(self, request: Request) -> Response:  # noqa: ARG002 - REST framework's signature
        """Show the statistics."""
        return Response(Statistics({"results": queries.statistics()}).data)


class UserOrdersView(StrictAPIView):
    """`/users/{id}/orders/`, which the gateway routes here."""

    permission_classes: list[type[Policy]] = [SelfOrStaff]
    owner_kwarg = "user_id"

    @Endpoint(
        summary="List the orders of a user",
        answers={200: OrderAnswer(many=True)},
        query=OwnOrdersQuery,
        paginated=True,
    )
    def get(self, request: Request, user_id: UUID) -> Response:
        """List a user's orders, newest first."""
        return _page(self, queries.orders(of_user=user_id, status=self.query.status), request)


def _page(view: StrictAPIView, found: Any, request: Request) -> Response:
    paginator = view.settings.DEFAULT_PAGINATION_CLASS()
    page = paginator.paginate_queryset(found, request, view)
    answer: Response = paginator.get_paginated_response(OrderAnswer(page, many=True).data)
    return answer


def _principal(request: Request) -> Any:
    principal = principal_of(request)
    if principal is None:
        raise NotAuthenticated
    return principal


def _own_order(request: Request, order_id: UUID) -> Order:
    order = owned(queries.orders(), _principal(request)).filter(pk=order_id).first()
    if order is None:
        raise NotFound
    return order


def _catalogue(product_ids: list[UUID]) -> dict[UUID, CatalogueProduct]:
    """What the replica says, after products was asked for what it does not know. Raises UnknownProduct."""
    known = queries.catalogue(product_ids)
    missing = [product_id for product_id in product_ids if product_id not in known]
    for product_id in missing:
        sold = clients.product(product_id)
        if sold is None:  # one is enough: a made-up order costs products one look
            raise UnknownProduct("Some products are not in the catalogue.", product_ids=[str(product_id)])
        fill([sold])
    return queries.catalogue(product_ids) if missing else known
