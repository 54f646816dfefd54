"""A small API in the manner of a service: what the tests of the edge call."""

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from rest_framework.authentication import BaseAuthentication
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from bandstand import clock
from bandstand.auth import public
from bandstand.auth.rest import Public
from bandstand.context import Principal
from bandstand.errors import BusinessRuleViolated, NotFound, RateLimited, ServiceConnectionError
from bandstand.web import etags, fields, idempotency
from bandstand.web.openapi import Endpoint
from bandstand.web.parsers import read_json
from bandstand.web.problems import from_exception
from bandstand.web.routers import Router, routes
from bandstand.web.serializers import Money, MoneyField, StrictModelSerializer, StrictSerializer
from bandstand.web.views import StrictAPIView, StrictViewSet
from tests.project.models import Product


class Caller(BaseAuthentication):
    """Whoever the header names: `X-Caller: alice` or `X-Caller: bob staff`."""

    def authenticate(self, request: Request) -> tuple[Principal, None] | None:
        name, _, role = request.META.get("HTTP_X_CALLER", "").partition(" ")
        return (Principal(id=name, roles=frozenset({role} - {""})), None) if name else None


class ProductQuery(msgspec.Struct, frozen=True, kw_only=True):
    search: Annotated[str, msgspec.Meta(max_length=50)] | None = None
    featured: bool | None = None
    min_price: Annotated[int, msgspec.Meta(ge=0)] | None = None
    owner: str | None = None
    ordering: Literal["name", "-name", "price_amount"] | None = None


class ProductAnswer(StrictModelSerializer):
    price = MoneyField(least=1, currencies=("EUR", "USD"), columns=("price_amount", "price_currency"))

    class Meta:
        model = Product
        fields = ["id", "sku", "name", "price", "is_featured", "created_at", "updated_at"]
        read_only_fields = ["created_at", "updated_at"]
        extra_kwargs = {"id": {"read_only": True}}


class Line(StrictSerializer):
    product_id = fields.UUIDField()
    quantity = fields.IntegerField(min_value=1, max_value=1000)


class PlaceOrder(StrictSerializer):
    items: Any = Line(many=True, min_length=1, max_length=50)
    at = fields.DateTimeField(required=False)
    day = fields.DateField(required=False)
    gift = fields.BooleanField(required=False)
    kind = fields.ChoiceField(choices=["a", "b"], required=False)
    note = fields.TextField(required=False, max_length=200)


class Products(StrictViewSet):
    """The catalogue."""

    authentication_classes = [Caller]
    permission_classes = [Public]
    lookup_value_regex = "[^/]+"
    serializer_class = ProductAnswer
    queryset = Product.objects.all()

    @Endpoint(
        summary="List the catalogue.",
        query=ProductQuery,
        staff_query=frozenset({"owner"}),
        paginated=True,
        answers={200: ProductAnswer},
    )
    def list(self, request: Request) -> Response:
        query: ProductQuery = self.query
        found = Product.objects.all()
        if query.featured is not None:
            found = found.filter(is_featured=query.featured)
        if query.ordering:
            found = found.order_by(query.ordering)
        return self.get_paginated_response(ProductAnswer(self.paginate_queryset(found), many=True).data)

    @Endpoint(body=ProductAnswer, answers={201: ProductAnswer}, idempotency="accepted", errors=(BusinessRuleViolated,))
    @idempotency.idempotent()
    def create(self, request: Request) -> Response:
        product = Product.objects.create(**_columns(self.get_serializer, request))
        answer = Response(ProductAnswer(product).data, status=201)
        answer["Location"] = f"/products/{product.pk}/"
        return answer

    @Endpoint(answers={200: ProductAnswer}, etag=True, errors=(NotFound,))
    def retrieve(self, request: Request, pk: str) -> Any:
        product = self.get_object()
        tag = etags.etag(product.pk, product.updated_at)
        return etags.not_modified(request, tag) or etags.tagged(Response(ProductAnswer(product).data), tag)

    @Endpoint(body=ProductAnswer, answers={200: ProductAnswer}, etag=True, errors=(NotFound,))
    def update(self, request: Request, pk: str) -> Response:
        check = etags.precondition(request, etag_of=lambda row: etags.etag(row.pk, row.updated_at))
        changes = _columns(self.get_serializer, request)
        product = self.get_object()
        check(product)
        for name, value in changes.items():
            setattr(product, name, value)
        product.updated_at = clock.now()
        product.save()
        return etags.tagged(Response(ProductAnswer(product).data), etags.etag(product.pk, product.updated_at))

    @Endpoint(answers={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        self.get_object().delete()
        return Response(status=204)

    @Endpoint(summary="Check an order without placing it.", body=PlaceOrder, answers={200: None})
    @action(detail=False, methods=["post"])
    def check(self, request: Request) -> Response:
        order = PlaceOrder(data=request.data, context={"request": request})
        order.is_valid(raise_exception=True)
        return Response({"lines": len(order.validated_data["items"])})


def _columns(serializer: Any, request: Request) -> dict[str, Any]:
    read = serializer(data=request.data)
    read.is_valid(raise_exception=True)
    columns: dict[str, Any] = dict(read.validated_data)
    price: Money = columns.pop("price")
    return {**columns, "price_amount": price.amount, "price_currency": price.currency}


class Orders(StrictAPIView):
    """Where the key is required and look-ups come between claim and effect."""

    authentication_classes = [Caller]
    permission_classes = [Public]

    @Endpoint(answers={202: None}, idempotency="required")
    def post(self, request: Request) -> Any:
        claim = idempotency.begin(request, required=True)
        if claim.replay:
            return claim.replay
        before = request.data.get("before")
        if before == "remote fails":
            raise ServiceConnectionError("http://products.internal:8001 refused", sent=False, service_name="products")
        if before == "forgotten":
            return Response({"forgotten": True}, status=200)
        with claim.answering() as answer:
            product = Product.objects.create(sku=str(clock.uuid7())[:32], name="ordered")
            if before == "rule":
                raise BusinessRuleViolated(business_rule="none_left")
            return answer(Response({"id": product.pk}, status=409 if before == "refused" else 202))


FAULTS: dict[str, Exception] = {
    "unexpected": ZeroDivisionError("secret cause"),
    "rate": RateLimited(retry_after=7),
    "remote": ServiceConnectionError("http://10.0.0.7:5432 refused", service_name="products"),
    "database": OperationalError("could not connect"),
}


class Faults(StrictAPIView):
    """Raises what is asked for."""

    permission_classes = [Public]
    authentication_classes = []

    def get(self, request: Request, name: str) -> Response:
        raise FAULTS[name]


class Reserve(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    order_id: UUID
    quantity: Annotated[int, msgspec.Meta(ge=1, le=1000)]


@public
def plain(request: HttpRequest) -> HttpResponse:
    """A plain view that reads strictly."""
    try:
        return HttpResponse(str(read_json(request, into=Reserve).quantity))
    except Exception as error:  # noqa: BLE001 - what the edge of a plain view does
        return from_exception(error, request)


router = Router()
router.register("products", Products)

urlpatterns = [
    path("", include(router.urls)),
    *routes("orders/", Orders.as_view(), name="orders"),
    *routes("faults/<str:name>/", Faults.as_view()),
    path("plain/", plain),
    path("raises/<str:name>/", public(lambda request, name: _raise(FAULTS[name]))),
]

handler400 = "bandstand.web.problems.bad_request"
handler403 = "bandstand.web.problems.permission_denied"
handler404 = "bandstand.web.problems.not_found"
handler500 = "bandstand.web.problems.server_error"


def _raise(error: Exception) -> HttpResponse:
    raise error
