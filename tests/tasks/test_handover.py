"""The loop that hands tasks to Celery goes on whatever the broker or a single task does."""

import threading

import pytest
from django.test import override_settings

from bandstand.tasks.celery.handover import HandoverLoop
from tests.tasks import jobs
from tests.tasks.staging import configured, rows

pytestmark = pytest.mark.django_db(transaction=True)

NAME = "bandstand.tasks.celery.CeleryBackend"
TASKS = {
    "default": {"BACKEND": "bandstand.tasks.backend.DurableBackend", "QUEUES": []},
    "out_of_reach": {"BACKEND": NAME, "OPTIONS": {"BROKER_URL": "amqp://127.0.0.1:1//"}},
    "in_memory": {"BACKEND": NAME, "OPTIONS": {"BROKER_URL": "memory://"}},
}


@pytest.fixture
def loop():
    with override_settings(TASKS=TASKS):
        loop = HandoverLoop()
        yield loop
        loop._waiter.close()


def turn(loop: HandoverLoop) -> None:
    stop = threading.Event()
    stop.set()  # no pauses
    loop._turn(stop)


def states() -> list[str]:
    return list(rows().order_by("id").values_list("state", flat=True))


def test_what_a_broker_out_of_reach_did_not_take_is_ready_again_at_once(loop):
    for _ in range(2):
        jobs.note.using(backend="out_of_reach").enqueue()
    turn(loop)
    assert states() == ["ready", "ready"]
    assert {row.attempts for row in rows().all()} == {0}


def test_a_task_that_cannot_be_handed_over_holds_up_no_other(loop, caplog):
    for _ in range(2):
        jobs.note.using(backend="in_memory").enqueue()
    rows().filter(pk=rows().order_by("id").first().pk).update(backend="gone")
    with configured():
        turn(loop)
    assert states() == ["sent", "sent"], "the first comes again when its lease is over"
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == ["task.not_handed_over"]
    from bandstand.tasks.api import task_backends
    from bandstand.tasks.celery.settings import app_of

    with app_of(task_backends["in_memory"]).connection_for_read() as connection:
        assert connection.SimpleQueue("project.tasks.default").qsize() == 1
