"""The writes of the catalogue: each one transaction, one decision and its event."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TypeVar
from uuid import UUID

from django.db import IntegrityError, transaction

from bandstand import clock
from bandstand.events import publish
from products import events
from products.errors import ProductNotFound, ProductRetired, SkuTaken
from products.models import Product

__all__ = ["Changes", "Content", "create_product", "retire_product", "update_product"]

D = TypeVar("D", bound=events.ProductDescribed)
Precondition = Callable[[Product], None]
"""Raises when the product, locked, is not as the caller last saw it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """What staff write about a product."""

    sku: str
    name: str
    price_minor: int
    currency: str
    description: str = ""
    is_featured: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """The same, where None leaves a field as it is."""

    sku: str | None = None
    name: str | None = None
    price_minor: int | None = None
    currency: str | None = None
    description: str | None = None
    is_featured: bool | None = None


def create_product(content: Content, *, product_id: UUID | None = None) -> Product:
    """Add a product. Raises SkuTaken."""
    product = Product(pk=product_id or clock.uuid7(), **asdict(content))
    try:
        with transaction.atomic():
            product.save(force_insert=True)
            publish(_described(events.ProductCreated, product))
    except IntegrityError as error:
        raise _refusal(product, error) from error
    return product


def update_product(product_id: UUID, changes: Changes, *, precondition: Precondition | None = None) -> Product:
    """Change a product; nothing happens, and nothing is published, when it already is like that.

    Raises ProductNotFound, ProductRetired, SkuTaken, and what *precondition* raises of the locked row.
    """
    product = Product(pk=product_id)
    try:
        with transaction.atomic():
            product = _locked(product_id, precondition)
            if not product.is_active:
                raise ProductRetired
            changed = [name for name, value in asdict(changes).items() if value not in (None, getattr(product, name))]
            for name in changed:
                setattr(product, name, getattr(changes, name))
            if changed:
                _save(product, changed)
                publish(_described(events.ProductUpdated, product))
    except IntegrityError as error:
        raise _refusal(product, error) from error
    return product


@transaction.atomic
def retire_product(product_id: UUID, *, precondition: Precondition | None = None) -> None:
    """Take a product out of the catalogue for good; idempotent. Raises ProductNotFound."""
    product = _locked(product_id, precondition)
    if product.is_active:
        product.is_active = False
        _save(product, ["is_active"])
        publish(events.ProductRetired(product_id=product.pk))


def _locked(product_id: UUID, precondition: Precondition | None) -> Product:
    product = (
        Product.objects.select_for_update(of=("self",)).select_related("availability").filter(pk=product_id).first()
    )
    if product is None:
        raise ProductNotFound
    if precondition is not None:
        precondition(product)
    return product


def _save(product: Product, changed: list[str]) -> None:
    product.version += 1
    product.updated_at = clock.now()
    product.save(update_fields=[*changed, "version", "updated_at"])


def _described(fact: type[D], product: Product) -> D:
    price = events.Price(amount=product.price_minor, currency=product.currency)
    return fact(product_id=product.pk, sku=product.sku, name=product.name, price=price)


def _refusal(product: Product, error: IntegrityError) -> Exception:
    """Asked after the write failed: before it, another's commit could still come between look and write."""
    taken = Product.objects.filter(sku=product.sku).exclude(pk=product.pk).exists()
    return SkuTaken(sku=product.sku) if taken else error
