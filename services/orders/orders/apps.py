"""The orders service as a Django app."""

from django.apps import AppConfig


class OrdersConfig(AppConfig):
    """Orders, their saga, and the replica of the catalogue that prices them."""

    name = "orders"
