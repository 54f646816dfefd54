"""Durable tasks: work enqueued in the transaction that calls for it, and run at least once after its commit."""

from typing import TYPE_CHECKING, Any

from bandstand.tasks.policy import Policy, durable

if TYPE_CHECKING:
    from bandstand.tasks.api import Task, TaskContext, TaskResult, TaskResultStatus, task

__all__ = ["Policy", "Task", "TaskContext", "TaskResult", "TaskResultStatus", "durable", "task"]


def __getattr__(name: str) -> Any:
    """Load Django's API when it is first asked for: without the extra `tasks` only that fails, and says why."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from bandstand.tasks import api  # noqa: PLC0415 - the extra may be missing

    return getattr(api, name)
