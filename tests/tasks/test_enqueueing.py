"""A task is a row of the transaction that enqueues it."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import transaction

from bandstand import clock, context
from bandstand.tasks.api import InvalidTaskError, TaskResultDoesNotExist, TaskResultStatus, default_task_backend, task
from bandstand.tasks.backend import TaskTooLarge
from tests.tasks import jobs
from tests.tasks.staging import configured, rows, using

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("database")]


def test_a_task_of_a_transaction_that_rolled_back_never_existed():
    with transaction.atomic(using=using()):
        result = jobs.note.enqueue(1)
        assert rows().get().pk.hex == result.id.replace("-", "")
        transaction.set_rollback(True, using=using())
    assert not rows().exists()
    with pytest.raises(TaskResultDoesNotExist):
        default_task_backend.get_result(result.id)


def test_a_task_enqueued_outside_a_transaction_is_durable_by_itself():
    result = jobs.note.enqueue(1, two=2)
    assert result.status == TaskResultStatus.READY
    found = jobs.note.get_result(result.id)
    assert (found.args, found.kwargs, found.status) == ([1], {"two": 2}, TaskResultStatus.READY)
    assert found.enqueued_at == result.enqueued_at


def test_queue_priority_and_moment_are_kept():
    moment = clock.now() + timedelta(hours=1)
    result = jobs.note.using(priority=50, queue_name="slow", run_after=moment).enqueue()
    found = default_task_backend.get_result(result.id).task
    assert (found.priority, found.queue_name, found.run_after) == (50, "slow", moment)
    assert rows().get().next_at == moment


def test_the_correlation_of_whoever_enqueues_is_kept():
    with context.bound(context.Context(correlation_id="corr-0007")) as work:
        jobs.note.enqueue()
    row = rows().get()
    assert (row.correlation_id, row.traceparent) == ("corr-0007", work.traceparent)


@pytest.mark.parametrize("arguments", [(uuid4(),), ({1, 2},), (datetime(2026, 1, 1, tzinfo=UTC),)])
def test_what_json_cannot_carry_is_refused_at_once(arguments):
    with pytest.raises(TypeError):
        jobs.note.enqueue(*arguments)
    assert not rows().exists()


def test_a_document_is_refused_for_a_task_carries_identifiers():
    with configured(MAX_TASK_BYTES=100), pytest.raises(TaskTooLarge, match=r"jobs\.note has 125 bytes; 100"):
        jobs.note.enqueue("x" * 100)


def test_a_nested_function_cannot_be_a_task():
    def nested() -> None: ...

    with pytest.raises(InvalidTaskError):
        task(nested)


def test_the_same_task_with_the_same_arguments_stands_in_the_queue_once():
    first = jobs.count_stock.enqueue(1)
    assert jobs.count_stock.enqueue(1).id == first.id
    assert jobs.count_stock.enqueue(2).id != first.id
    assert rows().count() == 2


def test_a_task_can_say_what_makes_it_the_same():
    first = jobs.recount.enqueue(1, reason="theft")
    assert jobs.recount.enqueue(1, reason="fire").id == first.id
    assert rows().count() == 1


def test_a_deduplicated_task_of_a_transaction_that_rolled_back_stands_in_nobodys_way():
    with transaction.atomic(using=using()):
        jobs.count_stock.enqueue(1)
        transaction.set_rollback(True, using=using())
    jobs.count_stock.enqueue(1)
    assert rows().count() == 1


@pytest.mark.parametrize("unknown", [str(uuid4()), "nonsense"])
def test_the_result_of_no_task_does_not_exist(unknown):
    with pytest.raises(TaskResultDoesNotExist):
        default_task_backend.get_result(unknown)


async def _enqueue() -> str:
    return (await jobs.note.aenqueue(1)).id


def test_a_coroutine_can_enqueue():
    from asgiref.sync import async_to_sync

    assert jobs.note.get_result(async_to_sync(_enqueue)()).args == [1]
