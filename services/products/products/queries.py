"""What the catalogue shows: products with their availability, always in one query."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from products.errors import ProductNotFound
from products.models import Product, searchable

__all__ = ["Filter", "catalogue", "featured_products", "product_of"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """Which products to list, and how. None means: whichever. Prices are minor units, bounds included."""

    search: str | None = None
    featured: bool | None = None
    min_price: int | None = None
    max_price: int | None = None
    ordering: str | None = None


_COLUMNS = {"name": "name", "price": "price_minor", "created_at": "created_at"}


def catalogue(wanted: Filter, *, retired_too: bool = False) -> QuerySet[Product]:
    """The products that match, oldest first unless ordered otherwise; each word of the search must occur somewhere."""
    found = _visible(retired_too=retired_too)
    if wanted.featured is not None:
        found = found.filter(is_featured=wanted.featured)
    if wanted.min_price is not None:
        found = found.filter(price_minor__gte=wanted.min_price)
    if wanted.max_price is not None:
        found = found.filter(price_minor__lte=wanted.max_price)
    for word in searchable(wanted.search or "").split():
        found = found.filter(search_text__contains=word)
    return found.order_by(*_ordering(wanted.ordering))


def featured_products() -> QuerySet[Product]:
    """The products on show, oldest first."""
    return catalogue(Filter(featured=True))


def product_of(product_id: UUID, *, retired_too: bool = False) -> Product:
    """One product. Raises ProductNotFound."""
    product = _visible(retired_too=retired_too).filter(pk=product_id).first()
    if product is None:
        raise ProductNotFound
    return product


def _visible(*, retired_too: bool) -> QuerySet[Product]:
    # One join instead of one query for each row; the text that is only there to be searched stays in the database.
    products = Product.objects.select_related("availability").defer("search_text")
    return products if retired_too else products.filter(is_active=True)


def _ordering(asked: str | None) -> tuple[str, ...]:
    if not asked:
        return ("id",)
    column = _COLUMNS[asked.removeprefix("-")]
    # Ties by id in the same direction, so that one index serves the order both ways.
    return (f"-{column}", "-id") if asked.startswith("-") else (column, "id")
