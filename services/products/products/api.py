"""The catalogue's public API: anybody reads it, staff write it."""

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from bandstand.auth.rest import Public, Staff, principal_of
from bandstand.errors import PreconditionFailed
from bandstand.web.etags import etag, precondition, tagged
from bandstand.web.fields import BooleanField, DateTimeField, IntegerField, TextField, UUIDField
from bandstand.web.idempotency import idempotent
from bandstand.web.openapi import Endpoint
from bandstand.web.pagination import Pagination
from bandstand.web.serializers import MoneyField, StrictSerializer
from bandstand.web.views import StrictAPIView
from products.commands import Changes, Content, create_product, retire_product, update_product
from products.errors import ProductNotFound, ProductRetired, SkuTaken
from products.models import Product
from products.queries import Filter, catalogue, featured_products, product_of

__all__ = ["CatalogueView", "FeaturedView", "ProductView"]

Price = Annotated[int, msgspec.Meta(ge=0)]


class CatalogueQuery(msgspec.Struct, frozen=True, kw_only=True):
    """How the catalogue may be narrowed and ordered; prices are minor units."""

    search: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    featured: bool | None = None
    min_price: Price | None = None
    max_price: Price | None = None
    ordering: Literal["name", "-name", "price", "-price", "created_at", "-created_at"] | None = None


class ProductBody(StrictSerializer):
    """A product as it is answered; what is not read-only can be written."""

    id = UUIDField(read_only=True)
    sku = TextField(max_length=64)
    name = TextField(max_length=200)
    description = TextField(allow_blank=True, default="", trim_whitespace=False)
    price = MoneyField(least=1, columns=("price_minor", "currency"))
    is_featured = BooleanField(default=False)
    is_active = BooleanField(read_only=True)
    available = IntegerField(read_only=True, allow_null=True)
    created_at = DateTimeField(read_only=True)
    updated_at = DateTimeField(read_only=True)


class ReadByAnybody(StrictAPIView):
    """Anybody reads, staff write."""

    permission_classes = [Staff]

    def get_permissions(self) -> list[Any]:
        """Open what is closed to all but staff for requests that only read."""
        return [Public()] if self.request.method in ("GET", "HEAD") else [Staff()]


class CatalogueView(ReadByAnybody):
    """The catalogue."""

    @Endpoint(summary="List and search the catalogue", query=CatalogueQuery, answers={200: ProductBody}, paginated=True)
    def get(self, request: Request) -> Response:
        """One page of what matches; retired products are shown to staff only."""
        wanted = Filter(**msgspec.structs.asdict(self.query))
        return _page(request, catalogue(wanted, retired_too=_is_staff(request)))

    @Endpoint(
        summary="Add a product",
        body=ProductBody,
        answers={201: ProductBody},
        errors=(SkuTaken,),
        idempotency="accepted",
    )
    @idempotent()
    def post(self, request: Request) -> Response:
        """Add a product."""
        product = create_product(Content(**_written(request)))
        response = _answer(product, status=201)
        response["Location"] = f"/api/v1/products/{product.pk}/"
        return response


class FeaturedView(StrictAPIView):
    """What is on show."""

    permission_classes = [Public]

    @Endpoint(summary="List the featured products", answers={200: ProductBody}, paginated=True)
    def get(self, request: Request) -> Response:
        """One page of the featured products."""
        return _page(request, featured_products())


class ProductView(ReadByAnybody):
    """One product."""

    @Endpoint(summary="Read a product", answers={200: ProductBody}, errors=(ProductNotFound,), etag=True)
    def get(self, request: Request, product_id: UUID) -> Response:
        """The product; a retired one is shown to staff only."""
        return _answer(product_of(product_id, retired_too=_is_staff(request)))

    @Endpoint(
        summary="Replace a product",
        body=ProductBody,
        answers={200: ProductBody},
        errors=(ProductNotFound, ProductRetired, SkuTaken),
        etag=True,
    )
    def put(self, request: Request, product_id: UUID) -> Response:
        """Replace what can be written; what is left out takes its default."""
        return self._change(request, product_id, partial=False)

    @Endpoint(
        summary="Change a product",
        body=ProductBody(partial=True),
        answers={200: ProductBody},
        errors=(ProductNotFound, ProductRetired, SkuTaken),
        etag=True,
    )
    def patch(self, request: Request, product_id: UUID) -> Response:
        """Change what is given."""
        return self._change(request, product_id, partial=True)

    @Endpoint(summary="Retire a product", answers={204: None}, errors=(PreconditionFailed, ProductNotFound))
    def delete(self, request: Request, product_id: UUID) -> Response:
        """Take the product out of the catalogue; its row stays, since orders refer to it."""
        retire_product(product_id, precondition=precondition(request, etag_of=_tag))
        return Response(status=204)

    def _change(self, request: Request, product_id: UUID, *, partial: bool) -> Response:
        changes = Changes(**_written(request, partial=partial))
        return _answer(update_product(product_id, changes, precondition=precondition(request, etag_of=_tag)))


def _written(request: Request, *, partial: bool = False) -> dict[str, Any]:
    body = ProductBody(data=request.data, partial=partial, context={"request": request})
    body.is_valid(raise_exception=True)
    values: dict[str, Any] = dict(body.validated_data)
    price = values.pop("price", None)
    return values if price is None else {**values, "price_minor": price.amount, "currency": price.currency}


def _page(request: Request, products: QuerySet[Product]) -> Response:
    paginator = Pagination()
    rows = paginator.paginate_queryset(products, request)
    return paginator.get_paginated_response(ProductBody(rows, many=True).data)


def _answer(product: Product, *, status: int = 200) -> Response:
    return tagged(Response(ProductBody(product).data, status=status), _tag(product))


def _tag(product: Product) -> str:
    # Without `available`: If-Match guards what staff write, and each order would make their tag stale. For the same
    # reason If-None-Match is not answered, for which such a tag would be too weak.
    return etag(product.pk, product.version)


def _is_staff(request: Request) -> bool:
    principal = principal_of(request)
    return principal is not None and principal.is_staff
