"""Metrics are declared once and survive several processes; spans know their parent and are bounded."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from bandstand import context
from bandstand.observability import metrics, tracing


def test_declaring_twice_gives_the_same_metric() -> None:
    first = metrics.counter("bandstand_tests_twice_total", "Twice.", ("kind",))
    assert metrics.counter("bandstand_tests_twice_total", "Twice.", ("kind",)) is first


def test_declaring_otherwise_is_refused() -> None:
    metrics.counter("bandstand_tests_once_total", "Once.", ("kind",))
    with pytest.raises(ValueError, match="declared already"):
        metrics.counter("bandstand_tests_once_total", "Once.", ("other",))
    with pytest.raises(ValueError, match="declared already"):
        metrics.gauge("bandstand_tests_once_total", "Once.", ("kind",))


def test_the_service_is_named_among_the_metrics() -> None:
    assert b'service_info{environment="test",service="project",version="1.0"} 1.0' in metrics.render()


def test_durations_of_plain_and_async_functions_are_counted_by_outcome() -> None:
    @metrics.track_execution_time("bandstand_tests_work_seconds")
    def work(*, fail: bool) -> int:
        if fail:
            raise LookupError
        return 7

    @metrics.track_execution_time("bandstand_tests_work_seconds")
    async def awork() -> int:
        return 8

    assert work(fail=False) == 7
    assert asyncio.run(awork()) == 8
    with pytest.raises(LookupError):
        work(fail=True)
    rendered = metrics.render()
    assert b'bandstand_tests_work_seconds_count{outcome="ok"} 2.0' in rendered
    assert b'bandstand_tests_work_seconds_count{outcome="error"} 1.0' in rendered


PROCESS = """
import django
from django.conf import settings
settings.configure(BANDSTAND={"SERVICE": {"NAME": "many", "VERSION": "1", "ENVIRONMENT": "test"}}, SECRET_KEY="x")
django.setup()
from bandstand.observability import metrics
from bandstand.web import metering
metering.observe("GET", "/x", 200, 0.1)
"""


def test_metrics_of_several_processes_are_added_up(tmp_path: Path) -> None:
    variables = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", PROCESS], env=variables, check=True, timeout=60)
    show = PROCESS.replace('metering.observe("GET", "/x", 200, 0.1)', "print(metrics.render().decode())")
    run = subprocess.run([sys.executable, "-c", show], env=variables, capture_output=True, text=True, check=True)
    assert 'http_requests_total{endpoint="/x",method="GET",status="200"} 2.0' in run.stdout
    assert 'service_info{environment="test",service="many",version="1"} 1.0' in run.stdout


def nested() -> None:
    with tracing.span("outer", kind="client", **{"server.address": "payments"}):
        with tracing.span("inner") as inner:
            inner.set(rows=3)
        raise LookupError


def test_spans_nest_and_carry_their_failure() -> None:
    tracing.drain_spans()
    with context.bound(context.Context()) as work:
        with pytest.raises(LookupError):
            nested()
        assert context.current() is work
    first, second = tracing.drain_spans()
    assert (first.name, first.attributes, first.error) == ("inner", {"rows": 3}, "")
    assert (second.name, second.kind, second.error) == ("outer", "client", "LookupError")
    assert first.parent_span_id == second.span_id
    assert second.parent_span_id == work.span_id
    assert {first.trace_id, second.trace_id} == {work.trace_id}


def test_spans_that_nobody_takes_are_bounded() -> None:
    for _ in range(3000):
        with tracing.span("many"):
            pass
    assert len(tracing.drain_spans()) <= 1024


def test_an_unsampled_trace_leaves_no_span() -> None:
    tracing.drain_spans()
    with context.bound(context.Context(sampled=False)), tracing.span("quiet"):
        pass
    assert tracing.drain_spans() == []
