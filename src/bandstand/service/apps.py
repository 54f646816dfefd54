"""The composed service as a Django app: it finds what the service declares."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules

__all__ = ["ServiceAppConfig"]


class ServiceAppConfig(AppConfig):
    """Imports each app's `events`, `consumers` and `sagas`, so that their declarations register themselves."""

    name = "bandstand.service"
    label = "bandstand_service"

    def ready(self) -> None:
        """Register declarations and checks; start nothing."""
        from bandstand.service import checks  # noqa: F401, PLC0415 - registers the checks

        autodiscover_modules("events", "consumers", "sagas")
