"""Ids, trace and deadline: taken over when they are sound, replaced when not, sent back always."""

import re

import pytest
from django.test import Client
from tests.web_edge.lines import Lines

from bandstand import context

TRACEPARENT = f"00-{'ab' * 16}-{'cd' * 8}-01"


def test_sound_ids_are_taken_over_and_sent_back(client: Client) -> None:
    answer = client.get("/ok", headers={"X-Correlation-ID": "order-12345678", "X-Request-ID": "hop-00000001"})
    assert answer["X-Correlation-ID"] == "order-12345678" == answer.json()["correlation_id"]
    assert answer["X-Request-ID"] == "hop-00000001"


HOSTILE = ["short", "x" * 65, "abcdefgh\r\nSet-Cookie: a=b", "<script>alert</script>", "ünïcödé-id", "abcdefgh\n"]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_an_unsound_id_is_replaced(client: Client, hostile: str) -> None:
    answer = client.get("/ok", headers={"X-Correlation-ID": hostile, "X-Request-ID": hostile})
    assert re.fullmatch(r"[0-9a-f]{32}", answer["X-Correlation-ID"])
    assert re.fullmatch(r"[0-9a-f]{32}", answer["X-Request-ID"])


@pytest.mark.parametrize("path", ["/ok", "/nowhere", "/crash", "/refuse", "/livez", "/metrics", "/stream", "/health/"])
@pytest.mark.django_db
def test_every_answer_carries_both_ids(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer["X-Correlation-ID"]
    assert answer["X-Request-ID"]


def test_the_trace_of_the_caller_goes_on(client: Client, lines: Lines) -> None:
    client.get("/ok", headers={"traceparent": TRACEPARENT})
    assert lines.access[0]["trace_id"] == "ab" * 16
    assert lines.access[0]["span_id"] != "cd" * 8


def test_the_patience_of_the_caller_becomes_the_deadline(client: Client) -> None:
    left = client.get("/ok", headers={"X-Timeout-Ms": "5000"}).json()["left"]
    assert 4 < left <= 5


@pytest.mark.parametrize("nonsense", ["-1", "1e3", "", "٣", "9" * 40, "1;2"])
def test_a_timeout_that_is_no_number_is_ignored(client: Client, nonsense: str) -> None:
    assert client.get("/ok", headers={"X-Timeout-Ms": nonsense}).json()["left"] is None


def test_a_request_whose_caller_waits_no_longer_is_not_worked_on(client: Client) -> None:
    answer = client.get("/crash", headers={"X-Timeout-Ms": "0"})
    assert answer.status_code == 504
    assert answer.json()["error"]["code"] == "DEADLINE_EXCEEDED"


def test_nothing_of_a_request_stays_in_the_thread(client: Client) -> None:
    before = context.bind(None)
    try:
        client.get("/signed-in")
        assert context.peek() is None
    finally:
        context.unbind(before)
