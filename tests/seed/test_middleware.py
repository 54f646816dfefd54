"""The articles' middleware, R13, R20 and checklist 35, 39, 40, 58: each fault shown, and mended in ours."""

import logging
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync, markcoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, RequestFactory
from django.urls import path
from django.utils.deprecation import MiddlewareMixin
from prometheus_client import CollectorRegistry, Counter, Histogram
from pytest_django import Settings

from bandstand import context
from bandstand.observability import metrics
from bandstand.web.client_address import client_address

SEEN: dict[str, Any] = {}


def view(request: HttpRequest, pk: int = 0) -> HttpResponse:
    SEEN["correlation_id"] = context.current().correlation_id
    return HttpResponse("ok")


urlpatterns = [path("users/<int:pk>", view), path("plain", view)]


class ArticlesMiddleware(MiddlewareMixin):
    """`MiddlewareMixin` with its `__init__` and `__call__` overridden, as in the articles."""

    def __init__(self, get_response: Callable[..., Any]) -> None:
        self.get_response = get_response
        super().__init__(get_response)

    def __call__(self, request: HttpRequest) -> Any:
        request.correlation_id = request.META.get("HTTP_X_CORRELATION_ID", str(uuid.uuid4()))  # type: ignore[attr-defined]
        response = self.get_response(request)
        response["X-Correlation-ID"] = request.correlation_id  # type: ignore[attr-defined]
        return response


@pytest.fixture
def use(settings: Settings) -> Callable[[str], None]:
    """Put one middleware in front of the views of this module."""
    settings.ROOT_URLCONF = __name__

    def using(middleware: str) -> None:
        settings.MIDDLEWARE = [middleware]

    return using


NAIVE = f"{__name__}.ArticlesMiddleware"
OURS = "bandstand.web.middleware.EdgeMiddleware"


def status_under_asgi() -> int:
    answer = async_to_sync(AsyncClient(raise_request_exception=False).get)("/plain")
    return int(answer.status_code)


def test_r13_under_asgi_the_articles_middleware_fails_every_request() -> None:
    async def answer() -> HttpResponse:
        return HttpResponse("ok")

    pending = answer()
    middleware = ArticlesMiddleware(markcoroutinefunction(lambda _: pending))
    with pytest.raises(TypeError, match="does not support item assignment"):
        middleware(RequestFactory().get("/plain"))
    pending.close()


def test_r13_ours_serves_both(use: Callable[[str], None]) -> None:
    use(OURS)
    assert status_under_asgi() == 200
    assert Client().get("/plain").status_code == 200


def test_39_the_articles_pass_any_correlation_id_on_and_only_the_request_knows_it(use: Callable[[str], None]) -> None:
    use(NAIVE)
    context.bind(None)
    answer = Client().get("/plain", headers={"X-Correlation-ID": "x" * 10_000})
    assert len(answer["X-Correlation-ID"]) == 10_000
    assert SEEN["correlation_id"] != answer["X-Correlation-ID"]


def test_39_ours_replaces_a_foreign_id_that_is_unsound_and_binds_it(use: Callable[[str], None]) -> None:
    use(OURS)
    answer = Client().get("/plain", headers={"X-Correlation-ID": "x" * 10_000})
    assert len(answer["X-Correlation-ID"]) == 32
    assert SEEN["correlation_id"] == answer["X-Correlation-ID"]


def test_40_the_articles_start_a_new_id_at_every_hop() -> None:
    def call(headers: dict[str, str]) -> dict[str, str]:
        return {**headers, "X-Request-ID": str(uuid.uuid4())}

    first, second = call({"X-Correlation-ID": "a"}), call({})
    assert first["X-Request-ID"] != second["X-Request-ID"]
    assert "X-Correlation-ID" not in second  # the chain is cut


def test_40_ours_keeps_the_flow_and_the_trace_and_tells_the_hops_apart(use: Callable[[str], None]) -> None:
    use(OURS)
    trace = f"00-{'ab' * 16}-{'cd' * 8}-01"
    headers = {"X-Correlation-ID": "flow-12345678", "traceparent": trace}
    first, second = Client().get("/plain", headers=headers), Client().get("/plain", headers=headers)
    assert first["X-Correlation-ID"] == second["X-Correlation-ID"] == "flow-12345678"
    assert first["X-Request-ID"] != second["X-Request-ID"]


def articles_client_ip(meta: dict[str, Any]) -> str:
    forwarded = meta.get("HTTP_X_FORWARDED_FOR")
    return str(forwarded.split(",")[0] if forwarded else meta.get("REMOTE_ADDR"))


FORGED = {"HTTP_X_FORWARDED_FOR": "6.6.6.6, 203.0.113.9", "REMOTE_ADDR": "10.0.0.1"}


def test_35_the_articles_believe_the_address_that_a_client_claims() -> None:
    assert articles_client_ip(FORGED) == "6.6.6.6"


def test_35_ours_counts_trusted_proxies_from_the_right() -> None:
    assert client_address(FORGED, trusted_proxies=1) == "203.0.113.9"
    assert client_address(FORGED, trusted_proxies=0) == "10.0.0.1"


def test_58_every_path_is_a_new_series_for_the_articles() -> None:
    registry = CollectorRegistry()
    counted = Counter("http_requests", "requests", ["method", "endpoint"], registry=registry)
    for number in range(100):
        request = RequestFactory().get(f"/wp-admin-{number}")
        counted.labels(method=request.method, endpoint=request.path).inc()
    assert len({tuple(sample.labels.items()) for family in registry.collect() for sample in family.samples}) >= 100


def test_58_ours_has_one_series_for_all_that_matches_nothing(use: Callable[[str], None]) -> None:
    use(OURS)
    Client().get("/unknown")
    before = metrics.render().count(b"http_requests_total{")
    for number in range(100):
        Client().get(f"/wp-admin-{number}")
    assert metrics.render().count(b"http_requests_total{") == before


def test_r20_the_articles_cannot_declare_one_name_twice() -> None:
    registry = CollectorRegistry()
    Histogram("work_seconds", "time", registry=registry)
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        Histogram("work_seconds", "time", registry=registry)


def test_r20_ours_may_be_declared_and_loaded_again() -> None:
    metrics.track_execution_time("bandstand_seed_work_seconds")
    metrics.track_execution_time("bandstand_seed_work_seconds")


def test_34_a_view_that_raises_leaves_no_line_of_the_articles_and_two_for_one_that_does_not() -> None:
    lines: list[str] = []

    def articles(get_response: Callable[[], str]) -> str:
        lines.append("Request started")
        response = get_response()
        lines.append("Request completed")
        return response

    with pytest.raises(ZeroDivisionError):
        articles(lambda: str(1 / 0))
    assert lines == ["Request started"]
    articles(lambda: "ok")
    assert len(lines) == 3


def test_34_ours_writes_one_line_either_way(use: Callable[[str], None], caplog: pytest.LogCaptureFixture) -> None:
    use(OURS)
    caplog.set_level(logging.INFO, logger="bandstand.access")
    Client().get("/plain")
    Client().get("/nowhere")
    assert [record.msg for record in caplog.records if record.name == "bandstand.access"] == ["request.answered"] * 2
