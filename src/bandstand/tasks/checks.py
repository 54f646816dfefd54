"""System checks: what would only fail once a task is enqueued."""

from typing import Any

from django.core.checks import CheckMessage, Error, register

from bandstand.config import section
from bandstand.events.config import EventsConfig
from bandstand.tasks.api import task_backends
from bandstand.tasks.backend import DurableBackend
from bandstand.tasks.config import TasksConfig

__all__ = ["check_tasks"]


@register("bandstand")
def check_tasks(**_: Any) -> list[CheckMessage]:
    """Tasks are durable, and wake their worker."""
    found: list[CheckMessage] = []
    if not any(isinstance(backend, DurableBackend) for backend in task_backends.all()):
        hint = 'Set TASKS = {"default": {"BACKEND": "bandstand.tasks.backend.DurableBackend", "QUEUES": []}}.'
        found.append(
            Error("bandstand.tasks is installed and no backend of TASKS is durable.", hint=hint, id="bandstand.E401")
        )
    if section(TasksConfig).database != section(EventsConfig).database:
        hint = "An enqueued task and a published event belong to one transaction."
        found.append(Error("TASKS and EVENTS name different databases.", hint=hint, id="bandstand.E402"))
    return found
