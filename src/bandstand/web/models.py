"""The table behind `Idempotency-Key`."""

from django.db import models

__all__ = ["IdempotencyClaim"]


class IdempotencyClaim(models.Model):
    """A keyed request: first a lease on its execution, then its answer (`status` is set).

    `scope` is the digest of principal, method, route and key; `epoch` counts who took the lease, so that one who lost
    it cannot complete.
    """

    scope = models.CharField(max_length=64, primary_key=True)
    fingerprint = models.CharField(max_length=64)
    epoch = models.PositiveIntegerField(default=1)
    leased_until = models.DateTimeField()
    expires_at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.TextField(default="{}")
    body = models.BinaryField(default=b"")

    class Meta:
        db_table = "bandstand_web_idempotency"
        indexes = [models.Index(fields=["expires_at"], name="bandstand_idempotency_expiry")]
