"""What failed stays visible until a person retries or discards it; the command, the admin and the checks."""

import json
import subprocess
import sys
import threading
from io import StringIO
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connections, transaction
from django.test import override_settings

from bandstand import clock
from bandstand.errors import Conflict, NotFound
from bandstand.events.actions import operating_system_user
from bandstand.events.models import EventAction
from bandstand.tasks import operations
from bandstand.tasks.checks import check_tasks
from tests.tasks import jobs
from tests.tasks.staging import configured, eventually, rows, running, using

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("database")]


@pytest.fixture
def failed(database) -> str:
    """The id of a task that was given up."""
    result = jobs.stumble.enqueue(3)
    with running():
        eventually(lambda: rows().filter(state="failed").exists())
    return result.id


def tell(*words: str) -> str:
    out = StringIO()
    call_command("tasks", *words, stdout=out)
    return out.getvalue().strip()


def test_a_failed_task_is_listed_shown_and_retried_with_all_its_attempts(failed):
    (listed,) = json.loads(tell("list", "--json"))
    assert (listed["id"], listed["attempts"], listed["reason"]) == (failed, 3, "ValueError: attempt 3")
    shown = json.loads(tell("show", failed, "--json"))
    assert shown["arguments"] == {"args": [3], "kwargs": {}}
    assert "ValueError: attempt 3" in shown["traceback"]
    assert tell("retry", failed) == "1 ready"
    assert tell("list") == "no failed tasks"
    with running():
        eventually(lambda: rows().filter(state="successful").exists())
    assert rows().get().attempts == 1


def test_a_discarded_task_is_run_no_more_and_stays_visible(failed):
    assert tell("discard", "--all") == "1 discarded"
    assert failed in tell("list", "--state", "discarded")
    assert jobs.stumble.get_result(failed).is_finished


def test_a_waiting_task_can_be_called_off_and_its_key_is_free_again():
    first = jobs.count_stock.enqueue(1)
    operations.discard([first.id])
    assert jobs.count_stock.enqueue(1).id != first.id


def test_who_retried_or_discarded_a_task_and_why_is_kept(failed):
    assert tell("retry", failed, "--by", "ada", "--note", "the mail host is back") == "1 ready"
    rows().update(state="failed", finished_at=clock.now())
    assert tell("discard", "--all", "--note", "too late") == "1 discarded"
    trail = EventAction.objects.using(using()).order_by("id").values_list("actor", "action", "note", "type", "event_id")
    me, task = operating_system_user(), "tests.tasks.jobs.stumble"
    assert list(trail) == [
        ("ada", "retry", "the mail host is back", task, UUID(failed)),
        (me, "discard", "too late", task, UUID(failed)),
    ]


def test_a_task_that_has_succeeded_is_neither_retried_nor_discarded():
    jobs.note.enqueue()
    rows().update(state="successful")
    for act in (operations.retry, operations.discard):
        with pytest.raises(Conflict, match="is successful"):
            act([rows().get().pk])


def failures(number: int) -> None:
    for _ in range(number):
        jobs.note.enqueue()
    rows().update(state="failed", finished_at=clock.now())


@pytest.mark.parametrize(("action", "state"), [("retry", "ready"), ("discard", "discarded")])
def test_all_are_closed_in_transactions_of_bounded_size(action, state, monkeypatch):
    monkeypatch.setattr(operations, "_AT_ONCE", 2)
    failures(5)
    assert tell(action, "--all", "--task", "shop.tasks.other").startswith("0 ")
    assert tell(action, "--all").startswith("5 ")
    assert set(rows().values_list("state", flat=True)) == {state}


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_what_somebody_else_deals_with_holds_up_nobody(database):
    failures(3)
    held, done = threading.Event(), threading.Event()

    def deal_with_the_first():
        with transaction.atomic(using=database):
            rows().select_for_update().order_by("id").first()
            held.set()
            done.wait(20)
        connections[database].close()

    other = threading.Thread(target=deal_with_the_first)
    other.start()
    held.wait(20)
    try:
        assert operations.discard_all() == 2
    finally:
        done.set()
        other.join()


def test_a_number_that_is_none_is_said_in_a_sentence():
    with pytest.raises(CommandError, match="'-1' is no number from 1 on"):
        tell("list", "--limit=-1")


def test_no_such_task_is_said_in_a_sentence():
    with pytest.raises(NotFound):
        operations.retry([uuid4()])
    with pytest.raises(CommandError, match="there is no task"):
        tell("show", str(uuid4()))
    with pytest.raises(CommandError, match="by id, or say --all"):
        tell("retry")


def test_who_may_only_look_gets_no_actions_in_the_admin(tmp_path):
    command = [sys.executable, "-m", "tests.tasks.with_admin", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "onlooker: 200 failed, root: 200 ready"


def test_checks_want_a_durable_backend_on_the_database_of_events():
    assert check_tasks() == []
    immediate = {"default": {"BACKEND": "django_tasks.backends.immediate.ImmediateBackend"}}
    with override_settings(TASKS=immediate):
        assert [message.id for message in check_tasks()] == ["bandstand.E401"]
    with configured(DATABASE="default"):
        from django.conf import settings

        with override_settings(BANDSTAND={**settings.BANDSTAND, "EVENTS": {"DATABASE": "other"}}):
            assert [message.id for message in check_tasks()] == ["bandstand.E402"]
