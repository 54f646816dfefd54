"""The Django application of the inventory service."""

from django.apps import AppConfig

__all__ = ["InventoryApp"]


class InventoryApp(AppConfig):
    """Stock, its ledger and its reservations."""

    name = "inventory"
    default_auto_field = "django.db.models.BigAutoField"
