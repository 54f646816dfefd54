"""What can go wrong with an order, by name."""

from bandstand.errors import BusinessRuleViolated, Conflict


class UnknownProduct(BusinessRuleViolated):
    """A line names a product that is not, or no longer, in the catalogue."""

    rule = "unknown_product"


class MixedCurrencies(BusinessRuleViolated):
    """The lines of one order are priced in different currencies."""

    rule = "mixed_currencies"


class TotalTooLarge(BusinessRuleViolated):
    """The order costs more than can be paid at once."""

    rule = "total_too_large"
    sentence = "The order costs more than can be paid at once."


class OrderFinal(Conflict):
    """The order has ended and cannot be cancelled any more."""

    conflict = "final"
    sentence = "The order has already ended."
