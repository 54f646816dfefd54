"""Tasks to be run by the tests, and what they leave behind."""

import threading
from datetime import timedelta

from bandstand import context
from bandstand.tasks import TaskContext, durable, task

ran: list[object] = []
gate = threading.Event()
FAST = timedelta(milliseconds=1)


@task
def note(*values, **named):
    """Remember what it was called with."""
    ran.append((list(values), named) if named else list(values))
    return len(values)


@task(takes_context=True)
def introduce(context: TaskContext, name: str) -> str:
    ran.append((name, context.task_result.id, context.attempt))
    return context.task_result.id


@task
def trace() -> None:
    work = context.current()
    ran.append((work.correlation_id, work.trace_id, work.causation_id))


@task
@durable(attempts=3, base=FAST, cap=FAST)
def stumble(times: int) -> str:
    """Fail so many times."""
    ran.append("stumble")
    if ran.count("stumble") <= times:
        raise ValueError(f"attempt {ran.count('stumble')}")
    return "done"


@task
@durable(deduplicate=True)
def count_stock(shelf: int) -> None:
    ran.append(shelf)


@task
@durable(deduplicate=lambda shelf, *, reason: shelf)
def recount(shelf: int, *, reason: str) -> None:
    ran.append((shelf, reason))


@task
def wait_for_gate(name: str) -> None:
    ran.append(f"{name} began")
    gate.wait(20)
    ran.append(f"{name} ended")


@task
def unwritable() -> object:
    ran.append("unwritable")
    return object()


@task
def inflate(size: int) -> str:
    return "x" * size


@task
async def politely(name: str) -> str:
    ran.append(name)
    return name


@task
def leave() -> None:
    raise SystemExit(3)
