"""What can go wrong with a payment, by name."""

from bandstand.errors import BusinessRuleViolated, Conflict


class PaymentCancelled(Conflict):
    """The key was cancelled, perhaps before its payment came: nothing is, or stays, taken under it."""

    conflict = "cancelled"
    sentence = "This payment was cancelled."


class DifferentPayment(BusinessRuleViolated):
    """The key is in use for another amount, currency or order."""

    rule = "different_payment"
    sentence = "This key belongs to another payment."


class RefundExceedsPayment(BusinessRuleViolated):
    """More would be given back than was taken."""

    rule = "refund_exceeds_payment"
    sentence = "The refund exceeds what is left of the payment."
