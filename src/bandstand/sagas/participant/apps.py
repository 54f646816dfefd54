"""The Django app: the table of keys, its check and the loop that purges it."""

from django.apps import AppConfig

__all__ = ["ParticipantApp"]


class ParticipantApp(AppConfig):
    """Keyed effects of one service, for the sagas of others."""

    name = "bandstand.sagas.participant"
    label = "bandstand_participant"
    verbose_name = "Participant of sagas"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register check and loop; start nothing."""
        from django.core.checks import register  # noqa: PLC0415 - models exist only now

        from bandstand.lifecycle import register_loop  # noqa: PLC0415 - as above
        from bandstand.sagas.participant.checks import check_retention  # noqa: PLC0415 - as above
        from bandstand.sagas.participant.retention import PurgeLoop  # noqa: PLC0415 - as above

        register(check_retention, "bandstand")
        register_loop(PurgeLoop.name, PurgeLoop)
