"""Mails as operators see them."""

from django.contrib import admin

from notifications.models import Mail


@admin.register(Mail)
class MailAdmin(admin.ModelAdmin[Mail]):
    """Read-mostly: a mail is written by its event alone."""

    list_display = ["created_at", "kind", "subject", "sent_at", "attempts", "error"]
    list_filter = ["kind", "sent_at"]
    search_fields = ["event_id", "user_id"]
