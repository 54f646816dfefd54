"""One line per request, whatever the client wrote into it."""

import pytest
from django.test import Client, override_settings
from tests.web_edge.lines import Lines


def test_a_request_writes_one_line_with_route_status_and_duration(client: Client, lines: Lines) -> None:
    client.get("/items/7/", headers={"User-Agent": "curl/8", "X-Correlation-ID": "order-12345678"})
    assert len(lines.raw) == 1
    line = lines.access[0]
    assert line["http.request.method"] == "GET"
    assert line["http.route"] == "/items/{pk}/"
    assert line["url.path"] == "/items/7/"
    assert line["http.response.status_code"] == 200
    assert line["correlation_id"] == "order-12345678"
    assert line["user_agent.original"] == "curl/8"
    assert line["service"] == "project"
    assert line["duration_ms"] >= 0
    assert line["http.response.body.size"] == len(b'{"id": 7}')


@pytest.mark.parametrize(("path", "status"), [("/crash", 500), ("/nowhere", 404), ("/refuse", 409)])
def test_failures_write_their_line_too(client: Client, lines: Lines, path: str, status: int) -> None:
    client.get(path)
    assert [line["http.response.status_code"] for line in lines.access] == [status]


@pytest.mark.django_db
def test_the_line_counts_queries_and_the_time_they_took(client: Client, lines: Lines) -> None:
    client.get("/queries")
    client.get("/ok")
    assert [line["db.query_count"] for line in lines.access] == [2, 0]
    assert lines.access[0]["db.duration_ms"] > 0


def test_the_line_names_who_signed_in(client: Client, lines: Lines) -> None:
    client.get("/signed-in", headers={"X-Correlation-ID": "order-12345678"})
    assert lines.access[0]["user.id"] == "u-1"
    assert lines.access[0]["correlation_id"] == "order-12345678"


def test_the_line_holds_no_query_string_address_or_token(client: Client, lines: Lines) -> None:
    client.get("/reset/ada@example.com?token=abc", headers={"User-Agent": "Bearer abcdef123456"})
    assert "ada@example.com" not in lines.raw[-1]
    assert "abcdef123456" not in lines.raw[-1]
    assert "token=abc" not in lines.raw[-1]


ADDRESSES = [
    (0, "6.6.6.6", "127.0.0.1"),
    (1, "6.6.6.6, 203.0.113.9", "203.0.113.9"),
    (1, None, "127.0.0.1"),
    (2, "6.6.6.6, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
    (2, "203.0.113.9", "127.0.0.1"),
    (1, "not an address", "127.0.0.1"),
]


@pytest.mark.parametrize(("trusted", "forwarded", "expected"), ADDRESSES)
def test_the_clients_address_is_what_our_own_proxy_saw(
    client: Client, lines: Lines, trusted: int, forwarded: str | None, expected: str
) -> None:
    with override_settings(BANDSTAND={"WEB": {"TRUSTED_PROXIES": trusted}}):
        client.get("/ok", headers={} if forwarded is None else {"X-Forwarded-For": forwarded})
    assert lines.access[0]["client.address"] == expected
