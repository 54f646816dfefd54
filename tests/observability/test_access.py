"""The access line is the same on its short way and on the standard one."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from bandstand import clock, context
from bandstand.observability import access
from bandstand.observability.logging import JsonFormatter, LineHandler


@pytest.fixture
def root(tmp_path: Path) -> Iterator[tuple[logging.Logger, Path]]:
    """The root logger as `logging_config` sets it up."""
    logger = logging.getLogger()
    before, level = logger.handlers[:], logger.level
    path = tmp_path / "out"
    with path.open("w") as stream:
        handler = LineHandler(stream)
        handler.setFormatter(JsonFormatter())
        logger.handlers[:] = [handler]
        logger.setLevel(logging.INFO)
        yield logger, path
    logger.handlers[:] = before
    logger.setLevel(level)


def line(**changes: object) -> access.AccessLine:
    work = context.current()
    values = {
        "timestamp": clock.now(),
        "level": "info",
        "service": "project",
        "version": "1.0",
        "environment": "test",
        "correlation_id": work.correlation_id,
        "trace_id": work.trace_id,
        "span_id": work.span_id,
        "parent_span_id": "",
        "request_id": "hop-00000001",
        "method": "GET",
        "route": "/x",
        "path": "/x",
        "status": 200,
        "duration_ms": 1.5,
        "query_count": 0,
        "query_ms": 0.0,
        "client_address": "127.0.0.1",
        "user_agent": "",
    }
    return access.AccessLine(**{**values, **changes})


def test_both_ways_write_the_same_fields(root: tuple[logging.Logger, Path]) -> None:
    logger, path = root
    one = line()
    access.write(one)
    logger.addHandler(logging.NullHandler())
    access.write(one)
    short, standard = (json.loads(text) for text in path.read_text().splitlines())
    assert short == standard


def test_another_handler_sees_an_ordinary_record(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    access.write(line(status=404))
    (record,) = caplog.records
    assert record.getMessage() == "request.answered"
    assert vars(record)["http.response.status_code"] == 404


def test_a_level_that_is_not_wanted_writes_nothing(root: tuple[logging.Logger, Path]) -> None:
    logger, path = root
    logger.setLevel(logging.WARNING)
    access.write(line())
    access.write(line(level="error", status=500))
    assert [json.loads(text)["level"] for text in path.read_text().splitlines()] == ["error"]


def test_the_line_is_its_own_span() -> None:
    one = line(status=503, duration_ms=2.0)
    span = one.finished_span()
    assert (span.name, span.error, span.seconds) == ("GET /x", "503", 0.002)
    assert span.attributes["http.response.status_code"] == 503
    assert span.started_at < one.timestamp
