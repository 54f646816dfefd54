"""The Django app of the inbound edge."""

from django.apps import AppConfig

__all__ = ["WebConfig"]


class WebConfig(AppConfig):
    """Registers the system checks; starts nothing."""

    name = "bandstand.web"
    label = "bandstand_web"
    verbose_name = "Bandstand: inbound edge"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register what only needs registering."""
        from bandstand.web import checks  # noqa: F401, PLC0415 - the import registers; apps are ready only now
