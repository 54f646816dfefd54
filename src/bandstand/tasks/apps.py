"""The Django app: finds the tasks, registers loop and checks, starts nothing."""

from typing import TYPE_CHECKING

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules

if TYPE_CHECKING:
    from bandstand.lifecycle import Loop

__all__ = ["TasksApp"]


class TasksApp(AppConfig):
    """Durable tasks of one service."""

    name = "bandstand.tasks"
    label = "bandstand_tasks"
    verbose_name = "Tasks"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Import each app's `tasks`; offer the loop to the worker."""
        from bandstand.lifecycle import register_loop  # noqa: PLC0415 - Django's rule for `ready`
        from bandstand.tasks import checks  # noqa: F401, PLC0415 - registers them
        from bandstand.tasks.api import task_backends  # noqa: PLC0415 - as above
        from bandstand.tasks.celery import CeleryBackend  # noqa: PLC0415 - as above
        from bandstand.tasks.worker import TasksLoop  # noqa: PLC0415 - as above

        autodiscover_modules("tasks")
        register_loop(TasksLoop.name, TasksLoop)
        if any(isinstance(backend, CeleryBackend) for backend in task_backends.all()):
            register_loop(CeleryBackend.carrier, _handover)


def _handover() -> "Loop":
    from bandstand.tasks.celery.handover import HandoverLoop  # noqa: PLC0415 - it needs Celery

    return HandoverLoop()
