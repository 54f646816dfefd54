"""The task of the actor; a module of its own, since tasks are found by their path."""

from pathlib import Path

from django.db import connection

from bandstand import clock, context
from bandstand.tasks import TaskContext, task


@task(takes_context=True)
def count(context: TaskContext, number: int) -> None:
    """Leave an effect with the id of the task, the key by which a repetition can be told."""
    clock.sleep(0.02)  # long enough for kills to strike
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO effect (number, task) VALUES (%s, %s)", (number, context.task_result.id))


@task
def correlate(number: int, *, secret: str) -> str:
    """Leave an effect with the correlation id of whoever enqueued it."""
    with connection.cursor() as cursor:
        statement = "INSERT INTO effect (number, task) VALUES (%s, %s)"
        cursor.execute(statement, (number, context.current().correlation_id))
    return f"{number} for {secret}"


@task(takes_context=True)
def hold(context: TaskContext, path: str) -> None:
    """Leave an effect, wait for the file, leave another."""
    for number in (1, 2):
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO effect (number, task) VALUES (%s, %s)", (number, context.task_result.id))
        while number == 1 and not Path(path).exists():
            clock.sleep(0.02)
