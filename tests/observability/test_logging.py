"""Every line is one JSON object, whoever writes it and whatever is in it."""

import io
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from bandstand import context
from bandstand.observability.logging import ConsoleFormatter, JsonFormatter, LineHandler, logging_config, set_level


@pytest.fixture
def write() -> Callable[..., dict[str, Any]]:
    """Log one event through the JSON formatter and parse what was written."""
    stream = io.StringIO()
    handler = LineHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.Logger("orders.commands")  # noqa: LOG001 - one that nothing else listens to
    logger.addHandler(handler)

    def writer(event: str, *args: object, level: int = logging.INFO, **options: Any) -> dict[str, Any]:
        stream.seek(0)
        stream.truncate()
        logger.log(level, event, *args, **options)
        line, rest = stream.getvalue().split("\n")
        assert rest == ""
        parsed: dict[str, Any] = json.loads(line)
        return parsed

    return writer


def test_a_line_says_who_wrote_it_and_within_what(write: Callable[..., dict[str, Any]]) -> None:
    with context.bound(context.Context(correlation_id="order-12345678")) as work:
        line = write("order.placed", extra={"order": 7})
    assert line["event"] == "order.placed"
    assert line["logger"] == "orders.commands"
    assert line["level"] == "info"
    assert (line["service"], line["version"], line["environment"]) == ("project", "1.0", "test")
    assert (line["correlation_id"], line["trace_id"]) == ("order-12345678", work.trace_id)
    assert line["order"] == 7
    assert datetime.fromisoformat(line["timestamp"]).tzinfo == UTC


def test_hostile_values_stay_inside_their_field(write: Callable[..., dict[str, Any]]) -> None:
    hostile = 'a"}\n{"level":"error","event":"forged"}\r\x00\x1b[31m\u2028\ud800'
    line = write("user.registered", extra={"nickname": hostile})
    assert line["event"] == "user.registered"
    assert line["nickname"].startswith('a"}\n{"level"')


@pytest.mark.parametrize("deceptive", ["\u2028", "\u2029", "\x85", "\x9b", "\u202e", "\u2066", "\u200f"])
def test_nothing_ends_a_line_commands_a_terminal_or_turns_the_text_round(
    write: Callable[..., dict[str, Any]], deceptive: str
) -> None:
    assert write("user.registered", extra={"nickname": f"Zoë{deceptive}!"})["nickname"] == "Zoë\ufffd!"


def test_values_of_every_type_are_written(write: Callable[..., dict[str, Any]]) -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no")

    endless: list[Any] = []
    endless.append(endless)
    values = {
        "id": UUID(int=1),
        "amount": Decimal("1.50"),
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "raw": b"\xff\x00",
        "huge": 10**40,
        "nan": float("nan"),
        "nested": {"a": [{1, 2}, (3,)]},
        "object": object(),
        "broken": Broken(),
        "endless": endless,
    }
    line = write("types.written", extra=values)
    assert (line["id"], line["amount"], line["nan"]) == (str(UUID(int=1)), "1.50", "nan")
    assert line["huge"] == str(10**40)
    assert line["broken"] == "<Broken>"


def test_extras_cannot_pose_as_fields_of_ours(write: Callable[..., dict[str, Any]]) -> None:
    line = write("call.failed", extra={"service": "payments", "level": "debug"})
    assert (line["service"], line["extra.service"]) == ("project", "payments")
    assert line["level"] == "info"


def test_an_exception_is_one_field(write: Callable[..., dict[str, Any]]) -> None:
    error = ValueError("Key (email)=(ada@example.com) already exists")
    line = write("user.creation_failed", exc_info=error, level=logging.ERROR)
    assert "ValueError" in line["exception"]
    assert "ada@example.com" not in line["exception"]


def test_wrong_arguments_do_not_lose_the_line(write: Callable[..., dict[str, Any]]) -> None:
    assert write("took %d ms", "long")["event"].startswith("took %d ms")


SECRETS = ["password", "PASSWORD", "new-password", "access_token", "Authorization", "api_key", "X-Api-Key", "cvv"]


@pytest.mark.parametrize("key", SECRETS)
def test_fields_named_like_secrets_are_masked(write: Callable[..., dict[str, Any]], key: str) -> None:
    assert "hunter2" not in json.dumps(write("a.b", extra={key: "hunter2", "deep": {"deeper": [{key: "hunter2"}]}}))


def test_personal_fields_become_a_fingerprint_that_joins_lines(write: Callable[..., dict[str, Any]]) -> None:
    first = write("user.registered", extra={"email": "Ada@example.com"})["email"]
    assert first == write("user.verified", extra={"email": "ada@example.com "})["email"]
    assert first != write("user.verified", extra={"email": "bob@example.com"})["email"]
    assert first.startswith("#")


VALUES = [
    ("mail to ada@example.com failed", "mail to [redacted] failed"),
    ("Authorization: Bearer abcdef.ghijkl", "Authorization: Bearer [redacted]"),
    ("eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "[redacted]"),
    ("postgres://orders:pa55@db/orders", "postgres://[redacted]@db/orders"),
    ("card 4111 1111 1111 1111 used", "card [redacted] used"),
    ("password=hunter2&x=1", "password=[redacted]&x=1"),
    ("order 4111111111111112 and 019a3f00-7000-7000-8000-000000000000", None),
    ("took 12 ms at 2026-11-21 08:52", None),
]


@pytest.mark.parametrize(("text", "expected"), VALUES)
def test_values_that_look_like_secrets_are_masked_in_any_text(
    write: Callable[..., dict[str, Any]], text: str, expected: str | None
) -> None:
    assert write("a.b", extra={"text": text})["text"] == (expected or text)
    assert write("%s", text)["event"] == (expected or text)


def test_the_console_form_is_one_line_and_escapes_terminal_codes() -> None:
    record = logging.LogRecord("orders", logging.WARNING, "", 0, "a.b\n\x1b[31m", None, None)
    record.reason = "\x1b]0;title\x07"
    text = ConsoleFormatter(colour=False).format(record)
    assert "\x1b" not in text
    assert "\n" not in text
    assert "a.b" in text


def test_lines_of_many_threads_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("w") as stream:
        handler = LineHandler(stream)
        handler.setFormatter(JsonFormatter())
        logger = logging.Logger("busy")  # noqa: LOG001 - one that nothing else listens to
        logger.addHandler(handler)
        work = [
            threading.Thread(target=lambda: [logger.info("a.b", extra={"text": "x" * 3000}) for _ in range(50)])
            for _ in range(4)
        ]
        for thread in work:
            thread.start()
        for thread in work:
            thread.join()
    assert len([json.loads(line) for line in path.read_text().splitlines()]) == 200


def test_a_broken_pipe_does_not_reach_the_caller(capsys: pytest.CaptureFixture[str]) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        handler = LineHandler(stream)
        handler.setFormatter(JsonFormatter())
        os.close(reading)
        handler.handle(logging.LogRecord("a", logging.INFO, "", 0, "a.b", None, None))
    assert "BrokenPipeError" in capsys.readouterr().err


PROGRAM = """
import logging, logging.config, sys, warnings
from bandstand.observability.logging import logging_config
logging.config.dictConfig(logging_config(level="INFO", format="json"))
for name in ("uvicorn.error", "gunicorn.error", "django.db", "celery", "orders"):
    logging.getLogger(name).info("from %s", name)
logging.getLogger("django.request").warning("Not Found: /x")
logging.getLogger("orders").debug("too quiet")
"""


def test_other_libraries_lines_take_the_same_way_and_need_no_django() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60)
    assert [json.loads(line)["event"] for line in run.stdout.splitlines()] == [
        f"from {name}" for name in ("uvicorn.error", "gunicorn.error", "django.db", "celery", "orders")
    ]
    assert run.stderr == ""


def test_the_level_can_be_changed_while_running() -> None:
    logger = logging.getLogger("bandstand.tests.level")
    set_level("DEBUG", logger=logger.name)
    assert logger.isEnabledFor(logging.DEBUG)
    set_level("ERROR", logger=logger.name)
    assert not logger.isEnabledFor(logging.WARNING)
    with pytest.raises(ValueError, match="Unknown level"):
        set_level("LOUD")


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(KeyError):
        logging_config(format="xml")
