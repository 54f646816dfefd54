"""The Django app: offers the loop and connects sagas with the events that start them; starts nothing."""

from typing import TYPE_CHECKING

from django.apps import AppConfig

if TYPE_CHECKING:
    from bandstand.lifecycle import Loop
    from bandstand.sagas.definition import Saga

__all__ = ["SagasApp"]


class SagasApp(AppConfig):
    """Durable sagas of one service."""

    name = "bandstand.sagas"
    label = "bandstand_sagas"
    verbose_name = "Sagas"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Offer the loop; let each saga, declared already or later, be started by its event."""
        from bandstand.lifecycle import register_loop  # noqa: PLC0415 - Django's rule for `ready`
        from bandstand.sagas import checks, late_effects  # noqa: F401, PLC0415 - registers them
        from bandstand.sagas.reconciling import ReconcileLoop  # noqa: PLC0415
        from bandstand.sagas.registry import sagas  # noqa: PLC0415

        register_loop("sagas", _make_loop)
        register_loop(ReconcileLoop.name, ReconcileLoop)
        register_loop("saga-upkeep", _make_upkeep)
        sagas.listen(_connect)


def _make_loop() -> "Loop":
    from bandstand.sagas.runner import Runner  # noqa: PLC0415 - only a process that runs it needs it

    return Runner()


def _make_upkeep() -> "Loop":
    from bandstand.sagas.upkeep import Upkeep  # noqa: PLC0415 - as above

    return Upkeep()


def _connect(saga: "Saga") -> None:
    from bandstand.lifecycle.crashpoints import register_crash_points  # noqa: PLC0415
    from bandstand.sagas.subscribing import subscribe  # noqa: PLC0415

    register_crash_points(saga.crash_points())
    subscribe(saga)
