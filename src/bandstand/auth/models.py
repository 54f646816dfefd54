"""The one table of auth: access that ended before its token expired."""

from django.db import models

from bandstand import clock

__all__ = ["RevokedSession"]


class RevokedSession(models.Model):
    """Tokens of `user_id` issued before `issued_before` are void; with a `session`, that session's alone, whenever.

    The row may be dropped after `until`: by then every token it speaks of has expired.
    """

    id = models.UUIDField(primary_key=True, default=clock.uuid7, editable=False)
    user_id = models.CharField(max_length=64)
    session = models.CharField(max_length=64, blank=True, default="")
    issued_before = models.DateTimeField()
    until = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user_id", "session"], name="bandstand_auth_one_row_per_session"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}/{self.session or '*'} until {self.until:%H:%M:%S}"
