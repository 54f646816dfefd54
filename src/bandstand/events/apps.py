"""The Django app: registers checks and loops, starts nothing."""

from django.apps import AppConfig

__all__ = ["EventsApp"]


class EventsApp(AppConfig):
    """Outbox, inbox, relay and dead letters of one service."""

    name = "bandstand.events"
    label = "bandstand_events"
    verbose_name = "Events"
    default_auto_field = "django.db.models.BigAutoField"
