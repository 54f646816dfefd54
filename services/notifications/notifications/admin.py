"""Mails as operators see them."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from notifications.models import Mail


@admin.register(Mail)
class MailAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # no generic at run time
    """Read only: a mail is written by its event alone."""

    list_display = ["created_at", "kind", "subject", "sent_at", "attempts", "error"]
    list_filter = ["kind", "sent_at"]
    search_fields = ["event_id", "user_id"]

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django's signature
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Never."""
        return False
