"""What can go wrong in the catalogue, by name."""

from bandstand.errors import BusinessRuleViolated, Conflict, NotFound

__all__ = ["ProductNotFound", "ProductRetired", "SkuTaken"]


class ProductNotFound(NotFound):
    """No such product, or a retired one and the caller is not staff."""

    sentence = "No such product."


class ProductRetired(Conflict):
    """A retired product is not changed any more."""

    conflict = "retired"
    sentence = "This product is retired."


class SkuTaken(BusinessRuleViolated):
    """Another product, perhaps a retired one, has this SKU."""

    rule = "unique_sku"
    sentence = "Another product has this SKU."
