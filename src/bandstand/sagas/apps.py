"""The Django app: offers the loop and connects sagas with the events that start them; starts nothing."""

from django.apps import AppConfig

__all__ = ["SagasApp"]


class SagasApp(AppConfig):
    """Durable sagas of one service."""

    name = "bandstand.sagas"
    label = "bandstand_sagas"
    verbose_name = "Sagas"
    default_auto_field = "django.db.models.BigAutoField"
