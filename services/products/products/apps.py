"""The Django application of the products service."""

from django.apps import AppConfig

__all__ = ["ProductsApp"]


class ProductsApp(AppConfig):
    """The catalogue."""

    name = "products"
    default_auto_field = "django.db.models.BigAutoField"
