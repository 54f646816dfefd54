"""A worker that a test starts for real, and waits for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import timedelta

from django.conf import settings as django_settings
from django.db.models import QuerySet
from django.test import override_settings

from bandstand import clock
from bandstand.config import section
from bandstand.lifecycle import start_loops
from bandstand.tasks.config import TasksConfig
from bandstand.tasks.models import TaskRow


@contextmanager
def configured(**tasks: object) -> Iterator[None]:
    """Further settings in the sections TASKS and EVENTS, whose database is one."""
    values = deepcopy(django_settings.BANDSTAND)
    values["TASKS"] = {**values.get("TASKS", {}), **tasks}
    if "DATABASE" in tasks:
        values["EVENTS"] = {**values.get("EVENTS", {}), "DATABASE": tasks["DATABASE"]}
    with override_settings(BANDSTAND=values):
        yield


def using() -> str:
    """The alias of the database under test."""
    return section(TasksConfig).database


def rows() -> "QuerySet[TaskRow]":
    """The tasks of the database under test."""
    return TaskRow.objects.using(using())


@contextmanager
def running(*names: str) -> Iterator[None]:
    """Run real loops in threads."""
    worker = start_loops(names or ("tasks",))
    try:
        yield
    finally:
        worker.drain(timedelta(seconds=10))


def eventually(condition: Callable[[], object], *, seconds: float = 10) -> None:
    """Wait for a condition under a deadline."""
    deadline = clock.monotonic() + seconds
    while not condition():
        assert clock.monotonic() < deadline, "it did not become true in time"
        clock.sleep(0.002)
