"""The Django app of auth."""

from django.apps import AppConfig

__all__ = ["AuthAppConfig"]


class AuthAppConfig(AppConfig):
    """Brings the table of revoked sessions and the system checks; `ready` does no I/O."""

    name = "bandstand.auth"
    label = "bandstand_auth"
    verbose_name = "Bandstand auth"

    def ready(self) -> None:
        """Register the checks."""
        from bandstand.auth import checks  # noqa: F401, PLC0415 - importing registers them
