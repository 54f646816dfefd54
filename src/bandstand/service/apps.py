"""The composed service as a Django app: it finds what the service declares."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules

__all__ = ["ServiceAppConfig"]


class ServiceAppConfig(AppConfig):
    """Imports each app's `events`, `consumers` and `sagas`, so that their declarations register themselves."""

    name = "bandstand.service"
    label = "bandstand_service"

    def ready(self) -> None:
        """Register declarations, checks and the maintenance loop; start nothing."""
        from bandstand.lifecycle import register_loop  # noqa: PLC0415 - the app registry must be ready
        from bandstand.service import checks  # noqa: F401, PLC0415 - registers the checks
        from bandstand.service.maintenance import MaintenanceLoop  # noqa: PLC0415

        autodiscover_modules("events", "consumers", "sagas")
        register_loop("maintenance", MaintenanceLoop)
