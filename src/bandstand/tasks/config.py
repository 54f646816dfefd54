"""The section `TASKS` of the setting `BANDSTAND`."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

__all__ = ["TasksConfig"]


@dataclass(frozen=True, kw_only=True)
class TasksConfig:
    """How this process runs tasks and how long their traces stay."""

    section: ClassVar[str] = "TASKS"

    database: str = "default"
    threads: int = 4
    """How many tasks run at once in a worker."""
    batch: int = 200
    """How many tasks one claim takes at most, running or about to."""
    hold: timedelta = timedelta(milliseconds=200)
    """How much work a worker holds beyond what its threads run: less for longer tasks, so that others get them."""
    lease: timedelta = timedelta(seconds=30)
    """How long a task stays with a worker that is not heard of."""
    attempts: int = 8
    retry_base: timedelta = timedelta(milliseconds=200)
    retry_cap: timedelta = timedelta(seconds=60)
    safety_poll: timedelta = timedelta(seconds=1)
    """How soon work is found at the latest when a wake-up was lost."""
    broker_patience: timedelta = timedelta(minutes=5)
    """After how long a task handed to Celery and not begun is handed over again."""
    drain: timedelta = timedelta(seconds=20)
    """How long a stopping worker waits for the tasks under way."""
    result_retention: timedelta = timedelta(hours=24)
    """How long a finished task and its result stay."""
    discarded_retention: timedelta = timedelta(days=90)
    """How long discarded tasks stay; failed ones that nobody has dealt with stay for ever."""
    max_task_bytes: int = 262_144
    """How large the arguments may be, and the result: tasks carry identifiers, not documents."""
