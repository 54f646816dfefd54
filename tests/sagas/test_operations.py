"""What a person may do: list, show, retry, cancel."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from bandstand.sagas import SagaExecution, SagaStepLog


def run(*arguments):
    out = StringIO()
    call_command("sagas", *arguments, stdout=out)
    return out.getvalue()


def test_list_shows_what_has_not_ended_and_why(stage):
    stage.shop.order("commit.do", "always:refuse")
    saga_id = stage.start("o1")
    stage.drive()
    (fact,) = json.loads(run("list", "--json"))
    assert (fact["id"], fact["status"], fact["step"]) == (str(saga_id), "waiting", "commit")
    assert "BusinessRuleViolated" in fact["error"]
    assert str(saga_id) in run("list")
    assert run("list", "--state", "compensation_failed") == "no such sagas\n"


def test_show_tells_everything_that_was_tried(stage):
    saga_id = stage.start("o2")
    stage.settle(saga_id)
    shown = json.loads(run("show", str(saga_id), "--json"))
    assert [line["outcome"] for line in shown["log"]] == ["begun", *["intent", "ok"] * 5]
    assert shown["log"][5]["key"] == f"{saga_id}:capture"
    assert "do capture (1): ok after 0 ms" in run("show", str(saga_id))


def test_retry_makes_the_next_attempt_at_once(stage):
    stage.shop.order("reserve.undo", "always:error")
    stage.shop.order("capture.do", "refuse")
    saga_id = stage.start("o3")
    for _ in range(120):
        stage.drive()
        stage.clock.advance(5)
    stage.shop.order("reserve.undo")
    run("retry", str(saga_id), "--by", "ada")
    stage.clock.advance(1)
    stage.drive()
    assert stage.row(saga_id).status == "compensated"


def test_cancel_undoes_what_another_process_holds(stage):
    """The wish reaches a worker in another process with its next heartbeat."""
    stage.shop.order("capture.do", "always:unsent")
    saga_id = stage.start("o4")
    stage.drive()
    holder = stage.worker
    stage.employ()
    assert run("cancel", str(saga_id), "--note", "asked to")
    stage.clock.advance(timedelta(seconds=4))
    holder.turn()
    assert stage.row(saga_id).status == "compensating"


def test_a_released_saga_hears_of_a_wish_at_once(stage):
    stage.shop.order("capture.do", "unsent")
    saga_id = stage.start("o5")
    stage.drive()
    stage.worker.leave()
    run("cancel", str(saga_id), "--note", "asked to")
    stage.employ()
    assert stage.settle(saga_id).reason == "requested"


def test_an_unknown_saga_is_one_clear_sentence(stage):
    with pytest.raises(CommandError, match="there is no saga"):
        run("show", "00000000-0000-0000-0000-000000000000")


def test_the_audit_views_have_the_agreed_columns(stage):
    saga_id = stage.start("o6")
    stage.settle(saga_id)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM audit_sagas")
        assert [column[0] for column in cursor.description] == [
            "saga_id", "type", "business_key", "state", "step", "epoch", "updated_at",
        ]  # fmt: skip
        assert cursor.fetchone()[:4] == (str(saga_id), "test_checkout", "o6", "completed")
        cursor.execute("SELECT * FROM audit_saga_steps")
        assert [column[0] for column in cursor.description] == [
            "saga_id", "step", "direction", "attempt", "outcome", "key", "at",
        ]  # fmt: skip
        assert cursor.fetchone()[-1].endswith("Z")


def test_purge_deletes_what_ended_long_ago_and_nothing_else(stage):
    stage.settle(stage.start("old"))
    stage.clock.advance(timedelta(days=100))
    recent = stage.start("recent")
    stage.settle(recent)
    stage.shop.order("commit.do", "always:unsent")
    living = stage.start("living")
    stage.drive()
    SagaExecution.objects.filter(pk=living).update(updated_at=stage.clock.now() - timedelta(days=100))
    assert run("purge") == "1 deleted\n"
    assert set(SagaExecution.objects.values_list("pk", flat=True)) == {living, recent}
    assert set(SagaStepLog.objects.values_list("saga_id", flat=True)) == {living, recent}
