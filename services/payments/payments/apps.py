"""The payments service as a Django app."""

from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    """Money taken and given back, once for each key."""

    name = "payments"
