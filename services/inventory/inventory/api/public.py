"""What anybody may ask about stock, and what staff may do to it."""

from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from bandstand.auth.rest import Public, Staff, principal_of
from bandstand.web.fields import IntegerField, TextField, UUIDField
from bandstand.web.idempotency import idempotent
from bandstand.web.openapi import Endpoint
from bandstand.web.serializers import StrictSerializer
from bandstand.web.views import StrictAPIView
from inventory.commands import adjust_stock
from inventory.errors import InsufficientStock, StockNotFound
from inventory.models import Stock
from inventory.queries import stock_of

__all__ = ["AdjustmentsView", "StockView", "UpdateInventoryView"]

_LARGEST_ADJUSTMENT = 1_000_000


class UnitsField(IntegerField):
    """How many units to add (or, negative, to take away): at most a million, never none."""

    default_error_messages = {"zero": "Expected an integer other than 0."}

    def __init__(self) -> None:
        super().__init__(min_value=-_LARGEST_ADJUSTMENT, max_value=_LARGEST_ADJUSTMENT)

    def to_internal_value(self, data: object) -> int:
        """Refuse zero: it would be a movement that moves nothing."""
        units = super().to_internal_value(data)
        if units == 0:
            self.fail("zero")
        return units


class Adjustment(StrictSerializer):
    """A change of what is available, and why."""

    delta = UnitsField()
    reason = TextField(max_length=200)


class InventoryUpdate(StrictSerializer):
    """An adjustment for the reason `update_inventory`."""

    quantity = UnitsField()


class Availability(StrictSerializer):
    """What anybody sees of a stock row."""

    product_id = UUIDField()
    available = IntegerField()


class StockRow(Availability):
    """What staff see of it."""

    sku = TextField()
    initial = IntegerField()
    restocked = IntegerField()
    held = IntegerField()
    sold = IntegerField()


class StockAnswer(Availability):
    """Either of them, as the API document describes it: the further fields are there for staff."""

    sku = TextField(required=False)
    initial = IntegerField(required=False)
    restocked = IntegerField(required=False)
    held = IntegerField(required=False)
    sold = IntegerField(required=False)


class StockView(StrictAPIView):
    """The stock of one product."""

    permission_classes = [Public]

    @Endpoint(
        summary="The stock of a product; more of it for staff", answers={200: StockAnswer}, errors=(StockNotFound,)
    )
    def get(self, request: Request, product_id: UUID) -> Response:
        """Answer with what the caller may see."""
        stock = stock_of(product_id)
        principal = principal_of(request)
        row = StockRow if principal is not None and principal.is_staff else Availability
        return Response(row(stock).data)


class AdjustmentsView(StrictAPIView):
    """Adjustments of one product's stock."""

    permission_classes = [Staff]

    @Endpoint(
        summary="Adjust the stock of a product",
        body=Adjustment,
        answers={201: StockRow},
        errors=(InsufficientStock, StockNotFound),
        idempotency="accepted",
    )
    @idempotent()
    def post(self, request: Request, product_id: UUID) -> Response:
        """Add units, or take some away."""
        wanted = Adjustment(data=request.data)
        wanted.is_valid(raise_exception=True)
        return _adjusted(
            request, product_id, delta=wanted.validated_data["delta"], reason=wanted.validated_data["reason"]
        )


class UpdateInventoryView(StrictAPIView):
    """The same under the name that the catalogue's users know."""

    permission_classes = [Staff]

    @Endpoint(
        summary="Adjust the stock of a product by a quantity",
        body=InventoryUpdate,
        answers={201: StockRow},
        errors=(InsufficientStock, StockNotFound),
        idempotency="accepted",
    )
    @idempotent()
    def post(self, request: Request, product_id: UUID) -> Response:
        """Add units, or take some away."""
        wanted = InventoryUpdate(data=request.data)
        wanted.is_valid(raise_exception=True)
        return _adjusted(request, product_id, delta=wanted.validated_data["quantity"], reason="update_inventory")


def _adjusted(request: Request, product_id: UUID, *, delta: int, reason: str) -> Response:
    principal = principal_of(request)
    actor = principal.id if principal is not None else ""
    stock: Stock = adjust_stock(product_id=product_id, delta=delta, reason=reason, actor=actor)
    return Response(StockRow(stock).data, status=201)
