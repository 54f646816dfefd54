"""The Django app: registers the consumers of replicas, the loop and the checks; starts nothing."""

from django.apps import AppConfig

__all__ = ["ReplicasApp"]


class ReplicasApp(AppConfig):
    """Local copies of what other services own."""

    name = "bandstand.replicas"
    label = "bandstand_replicas"
    verbose_name = "Replicas"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Let every replica be kept by its events once a worker runs."""
        from django.core.checks import register  # noqa: PLC0415 - models exist only now

        from bandstand.lifecycle import register_loop  # noqa: PLC0415 - as above
        from bandstand.replicas.checks import check_caches, check_retention  # noqa: PLC0415 - as above
        from bandstand.replicas.consuming import register_all  # noqa: PLC0415 - as above
        from bandstand.replicas.upkeep import UpkeepLoop  # noqa: PLC0415 - as above

        register_all()
        register(check_retention, "bandstand")
        register(check_caches, "bandstand")
        register_loop(UpkeepLoop.name, UpkeepLoop)
