"""Metrics, spans, probes and the last net."""

import re

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client, override_settings
from pytest_django import Settings
from tests.web_edge.lines import Lines

from bandstand.lifecycle import begin_drain, end_drain
from bandstand.observability import metrics, tracing
from bandstand.web.routes import template_of


def sample(name: str, **labels: str) -> float:
    for line in metrics.render().decode().splitlines():
        match = re.fullmatch(r"(\w+)\{(.*)\} (\S+)", line)
        if match and match[1] == name and dict(re.findall(r'(\w+)="([^"]*)"', match[2])) == labels:
            return float(match[3])
    return 0.0


def test_requests_are_counted_by_route_template(client: Client) -> None:
    labels = {"method": "GET", "endpoint": "/items/{pk}/", "status": "200"}
    before = sample("http_requests_total", **labels)
    for number in range(3):
        client.get(f"/items/{number}/")
    assert sample("http_requests_total", **labels) == before + 3
    assert sample("http_request_duration_seconds_count", method="GET", endpoint="/items/{pk}/") >= 3


def test_paths_and_methods_that_a_client_makes_up_make_no_series(client: Client) -> None:
    client.generic("GET", "/warm")
    client.generic("BREW", "/warm")
    before = metrics.render().count(b"\nhttp_requests_total{")
    for number in range(20):
        client.get(f"/scan-{number}")
        client.generic(f"M{number}", "/scan")
    assert metrics.render().count(b"\nhttp_requests_total{") == before


def test_no_request_stays_counted_as_in_flight(client: Client) -> None:
    for path in ("/ok", "/crash", "/nowhere", "/livez"):
        client.get(path)
    assert b"\nactive_connections 0.0\n" in metrics.render()


def test_a_request_leaves_a_span_for_export_unless_the_trace_is_not_sampled(client: Client) -> None:
    tracing.drain_spans()
    client.get("/items/7/", headers={"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"})
    client.get("/ok", headers={"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-00"})
    (span,) = tracing.drain_spans()
    assert (span.name, span.kind, span.trace_id) == ("GET /items/{pk}/", "server", "ab" * 16)
    assert span.parent_span_id == "cd" * 8


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/livez", "/readyz", "/startupz", "/health/", "/health", "/metrics", "/readyz/"])
def test_probes_are_answered_whatever_the_host(client: Client, lines: Lines, path: str) -> None:
    with override_settings(ALLOWED_HOSTS=["only.this.example"]):
        assert client.get(path, headers={"Host": "10.0.0.7"}).status_code == 200
        assert lines.access == []
        assert client.get("/ok", headers={"Host": "10.0.0.7"}).status_code == 400


def test_a_host_that_is_not_ours_is_refused_where_no_other_middleware_asks(client: Client, settings: Settings) -> None:
    settings.MIDDLEWARE = ["bandstand.web.middleware.EdgeMiddleware"]
    for host in ("evil.example", "testserver.evil.example", "testserver@evil.example", "[::1", "a b", "testserver:x"):
        refused = client.get("/ok", headers={"Host": host})
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "VALIDATION_ERROR")
    for host in ("testserver", "testserver:8000", "TESTSERVER", "testserver"):
        assert client.get("/ok", headers={"Host": host}).status_code == 200


@pytest.mark.django_db
def test_draining_turns_readiness_and_nothing_else(client: Client) -> None:
    begin_drain()
    try:
        assert client.get("/readyz").status_code == 503
        assert client.get("/livez").status_code == 200
        assert client.get("/ok").status_code == 200
    finally:
        end_drain()
    assert client.get("/readyz").status_code == 200


@pytest.mark.django_db
def test_the_public_report_names_no_cause(client: Client) -> None:
    report = client.get("/health/", headers={"Authorization": "Bearer forged"}).json()
    assert report["status"] == "healthy"
    assert set(report["checks"]["database"]) == {"status", "critical", "response_time_ms"}


def test_what_escapes_django_becomes_an_envelope(client: Client, settings: Settings) -> None:
    settings.ROOT_URLCONF = "tests.web_edge.broken_routes"
    answer = client.get("/crash")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "INTERNAL_ERROR"
    assert answer.json()["error"]["correlation_id"] == answer["X-Correlation-ID"]
    assert b"broken" not in answer.content


def test_async_requests_are_treated_alike(async_client: AsyncClient, lines: Lines) -> None:
    async def visit() -> None:
        answer = await async_client.get("/aok", headers={"X-Correlation-ID": "order-12345678"})
        assert answer.json()["correlation_id"] == "order-12345678" == answer["X-Correlation-ID"]
        assert (await async_client.get("/acrash")).status_code == 500
        assert (await async_client.get("/livez")).status_code == 200

    async_to_sync(visit)()
    assert [line["http.route"] for line in lines.access] == ["/aok", "/acrash"]


@pytest.mark.parametrize(
    ("route", "template"),
    [
        ("api/v1/orders/<uuid:pk>/", "/api/v1/orders/{pk}/"),
        ("^api/v1/orders/(?P<pk>[^/.]+)/$", "/api/v1/orders/{pk}/"),
        (r"api/v1/^orders/(?P<pk>[0-9a-f-]{36})/?\Z", "/api/v1/orders/{pk}/"),
        (r"^x/(?P<a>(a|b)+)/(?P<b>\)\d+)$", "/x/{a}/{b}"),
        ("", "/"),
    ],
)
def test_a_route_becomes_a_template(route: str, template: str) -> None:
    assert template_of(route) == template
