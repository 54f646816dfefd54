"""What can go wrong with a payment, by name."""

from bandstand.errors import BusinessRuleViolated, Conflict, ExternalServiceError


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


class DifferentRefund(BusinessRuleViolated):
    """The Idempotency-Key stands for a refund of another amount, which is on its way."""

    rule = "idempotency_key_reused"
    sentence = "This Idempotency-Key was used for a different refund."


class CaptureDiffers(ExternalServiceError):
    """The provider says it took something else than was asked for: nothing is recorded, a person must look."""

    sentence = "The payment provider confirmed another amount than was asked for."
