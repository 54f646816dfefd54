"""What is measured of sagas, what is forgotten by itself, and the alert rules that go with it."""

import gzip
import json
import re
import threading
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command
from prometheus_client import REGISTRY

from bandstand.sagas import SagaExecution, SagaStepLog
from bandstand.sagas.models import SagaSignal
from bandstand.sagas.reconciling import ReconcileLoop
from bandstand.sagas.reports import report_loss
from bandstand.sagas.signals import SignalName, send
from bandstand.sagas.upkeep import Upkeep
from tests.sagas.stage import Stage

ALERTS = Path(__file__).parents[2] / "docs" / "reference" / "saga-alerts.yml"


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def tend(stage: Stage) -> None:
    Upkeep().turn(threading.Event())


def test_live_sagas_are_counted_by_type_and_status_until_they_have_ended(stage: Stage) -> None:
    upkeep = Upkeep()
    stage.shop.order("capture.do", "always:lost_request")
    ids = [stage.start(key) for key in ("a", "b")]
    stage.drive()
    upkeep.turn(threading.Event())
    assert value("saga_live", saga="test_checkout", status="unknown") == 2
    stage.shop.order("capture.do")
    for saga_id in ids:
        stage.settle(saga_id)
    stage.clock.advance(14)
    upkeep.turn(threading.Event())
    stage.clock.advance(15)
    upkeep.turn(threading.Event())
    assert value("saga_live", saga="test_checkout", status="unknown") == 0


def test_stuck_counts_from_where_the_trouble_began(stage: Stage) -> None:
    stage.shop.order("capture.do", "always:lost_request")
    saga_id = stage.start("a")
    stage.drive()
    for _ in range(2):
        stage.clock.advance(10)
        stage.drive()
    tend(stage)
    assert value("saga_stuck_seconds") == 20
    stage.shop.order("capture.do")
    stage.settle(saga_id)
    tend(stage)
    assert value("saga_stuck_seconds") == 0


def test_a_saga_without_a_worker_is_stuck_since_its_lease_ran_out(stage: Stage) -> None:
    stage.start("a")
    stage.clock.advance(100)
    tend(stage)
    assert value("saga_stuck_seconds") == 90


def test_signals_wait_until_a_worker_takes_them_in(stage: Stage) -> None:
    stage.shop.order("capture.do", "always:lost_request")
    saga_id = stage.start("a")
    stage.drive()
    send(saga_id, SignalName.CANCEL)
    tend(stage)
    assert value("saga_signals_waiting") == 1
    stage.settle(saga_id)
    tend(stage)
    assert value("saga_signals_waiting") == 0


def test_failed_undos_are_counted_each_and_a_failed_compensation_once(stage: Stage) -> None:
    failures = {"saga": "test_checkout", "step": "reserve"}
    ended = {"saga": "test_checkout", "status": "compensation_failed"}
    before = value("saga_compensation_failures_total", **failures), value("saga_executions_total", **ended)
    stage.shop.order("reserve.undo", "always:error")
    stage.shop.order("capture.do", "refuse")
    saga_id = stage.start("a")
    for _ in range(120):
        stage.drive()
        stage.clock.advance(5)
    tried = SagaStepLog.objects.filter(saga_id=saga_id, direction="undo", outcome="unknown").count()
    assert tried > 12
    assert value("saga_compensation_failures_total", **failures) - before[0] == tried
    assert value("saga_executions_total", **ended) - before[1] == 1


def test_a_lost_lease_is_counted(stage: Stage) -> None:
    before = value("saga_leases_lost_total", saga="test_checkout")
    saga_id = stage.start("a")
    stage.worker.turn()
    report_loss(stage.worker._hand.live[saga_id])
    assert value("saga_leases_lost_total", saga="test_checkout") == before + 1


# ---- retention


def test_nothing_is_forgotten_unless_a_retention_is_set(stage: Stage, settings: Any) -> None:
    stage.settle(stage.start("old"))
    stage.clock.advance(timedelta(days=400))
    tend(stage)
    assert SagaExecution.objects.count() == 1
    settings.BANDSTAND = {**settings.BANDSTAND, "SAGAS": {"RETENTION": timedelta(days=30)}}
    stage.settle(stage.start("recent"))
    stage.shop.order("commit.do", "always:unsent")
    stage.start("living")
    stage.drive()
    tend(stage)
    assert {row.business_key for row in SagaExecution.objects.all()} == {"recent", "living"}
    assert SagaStepLog.objects.values("saga_id").distinct().count() == 2


def purge(*words: str) -> str:
    out = StringIO()
    call_command("sagas", "purge", "--older-than-days", "30", *words, stdout=out)
    return out.getvalue()


def test_an_archive_holds_all_that_was_deleted(stage: Stage, tmp_path: Path) -> None:
    saga_id = stage.start("old")
    send(saga_id, SignalName.RETRY, said_by="ada", note="now")
    stage.settle(saga_id)
    lines = SagaStepLog.objects.filter(saga_id=saga_id).count()
    stage.clock.advance(timedelta(days=31))
    archive = tmp_path / "sagas.jsonl.gz"
    assert purge("--archive", str(archive)) == "1 deleted\n"
    with gzip.open(archive, "rt") as file:
        (kept,) = [json.loads(line) for line in file]
    assert (kept["saga"]["id"], kept["saga"]["business_key"]) == (str(saga_id), "old")
    assert len(kept["log"]) == lines
    assert [(one["said_by"], one["note"]) for one in kept["signals"]] == [("ada", "now")]
    assert not SagaSignal.objects.exists()


def test_an_archive_is_never_written_over(stage: Stage, tmp_path: Path) -> None:
    archive = tmp_path / "sagas.jsonl.gz"
    archive.write_text("something else")
    stage.settle(stage.start("old"))
    stage.clock.advance(timedelta(days=31))
    with pytest.raises(CommandError, match="exists already: name another file"):
        purge("--archive", str(archive))
    assert SagaExecution.objects.count() == 1


# ---- alert rules


def test_alert_rules_name_metrics_and_labels_that_there_are() -> None:
    assert ReconcileLoop.name
    known = {metric.name: metric for metric in REGISTRY.collect()}
    declared = {re.sub(r"_total$", "", name): names for name, names in _labels().items()}
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    assert len(rules) == 7
    for rule in rules:
        (name,) = re.findall(r"\bsaga_[a-z_]+", rule["expr"])
        assert re.sub(r"_total$", "", name) in known, name
        used = {*re.findall(r"(\w+)=\"", rule["expr"])}
        used |= {word for found in re.findall(r"by \(([^)]*)\)", rule["expr"]) for word in found.split(", ")}
        assert used - {"job"} <= {*declared[re.sub(r"_total$", "", name)]}, name
        assert {"summary", "action"} <= rule["annotations"].keys()


def _labels() -> dict[str, tuple[str, ...]]:
    from bandstand.observability.metrics import _declared

    return {name: metric._labelnames for name, metric in _declared.items()}
