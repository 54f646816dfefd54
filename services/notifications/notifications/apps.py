"""The notifications service as a Django app."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """Mails that follow from events."""

    name = "notifications"
