"""The OpenAPI document says what the endpoints do, and its pages need no internet."""

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from bandstand.web.openapi import document

pytestmark = pytest.mark.urls("tests.web.internal_api")


@pytest.fixture
def described() -> Iterator[dict[str, Any]]:
    document.cache_clear()
    yield document()
    document.cache_clear()


def test_it_is_openapi_3_1_and_names_each_route_once(described: dict[str, Any]) -> None:
    assert described["openapi"] == "3.1.0"
    assert set(described["paths"]) == {
        "/api/v1/faults/{name}/", "/api/v1/orders/", "/api/v1/products/", "/api/v1/products/check/",
        "/api/v1/products/{id}/",
    }  # fmt: skip


def test_it_is_a_valid_document(described: dict[str, Any]) -> None:
    from drf_spectacular.validation import validate_schema

    validate_schema(described)


def test_operations_have_distinct_names(described: dict[str, Any]) -> None:
    names = [operation["operationId"] for path in described["paths"].values() for operation in path.values()]
    assert len(names) == len(set(names))


def test_every_operation_says_how_it_fails(described: dict[str, Any]) -> None:
    for path in described["paths"].values():
        for method, operation in path.items():
            statuses = set(operation["responses"])
            assert statuses >= {"400", "406", "500", "503"}
            assert (method not in ("post", "put")) or statuses >= {"413", "415"}
    responses = described["components"]["responses"]
    schema = responses["NotFound"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/Error"}
    assert "application/problem+json" in responses["NotFound"]["content"]


def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    for reference in set(re.findall(r"'\$ref': '#/components/(\w+)/(\w+)'", str(described))):
        assert reference[1] in described["components"][reference[0]]


def test_the_key_the_query_and_the_tags_are_parameters(described: dict[str, Any]) -> None:
    def parameters(path: str, method: str) -> dict[str, Any]:
        return {each["name"]: each for each in described["paths"][path][method].get("parameters", [])}

    assert parameters("/api/v1/orders/", "post")["Idempotency-Key"]["required"] is True
    assert "required" not in parameters("/api/v1/products/", "post")["Idempotency-Key"]
    assert {"409", "422"} <= set(described["paths"]["/api/v1/orders/"]["post"]["responses"])
    listed = parameters("/api/v1/products/", "get")
    assert {"search", "featured", "min_price", "ordering", "owner", "page", "page_size", "cursor"} == set(listed)
    assert listed["page_size"]["schema"]["maximum"] == 100
    assert listed["featured"]["schema"] == {"type": "boolean"}
    assert set(listed["ordering"]["schema"]["enum"]) == {"name", "-name", "price_amount"}
    assert "If-Match" in parameters("/api/v1/products/{id}/", "put")
    assert "412" in described["paths"]["/api/v1/products/{id}/"]["put"]["responses"]


def test_bodies_take_no_other_fields(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    assert schemas["PlaceOrderRequest"]["additionalProperties"] is False
    assert schemas["Money"]["required"] == ["amount", "currency"]
    assert "created_at" not in schemas["ProductAnswerRequest"]["properties"]


def test_lists_are_pages(described: dict[str, Any]) -> None:
    page = described["components"]["schemas"]["PaginatedProductAnswerList"]
    assert page["required"] == ["results", "pagination"]


@pytest.mark.django_db  # the end of a request looks after a connection that an earlier test may have left open
@pytest.mark.parametrize("page", ["/api/v1/docs/shop/", "/api/v1/docs/shop", "/api/v1/docs/shop/redoc/"])
def test_pages_load_everything_from_this_service(page: str) -> None:
    client = Client()
    response = client.get(page)
    text = response.content.decode()
    assert (response.status_code, response["Content-Type"].partition(";")[0]) == (200, "text/html")
    assert "script-src 'self'" in response["Content-Security-Policy"]
    links = re.findall(r'(?:src|href|data-schema)="([^"]+)"', text)
    assert len(links) >= 4
    for link in links:
        assert link.startswith("/api/v1/"), "nothing comes from elsewhere"
        found = client.get(link)
        assert (found.status_code, bool(b"".join(found) if found.streaming else found.content)) == (200, True)
        found.close()


def test_the_document_is_open_and_cacheable() -> None:
    client = Client()
    first = client.get("/api/v1/schema/shop/")
    assert first.json()["openapi"] == "3.1.0"
    assert client.get("/api/v1/schema/shop/", headers={"If-None-Match": first["ETag"]}).status_code == 304


@pytest.mark.parametrize("name", ["nothing.js", "..%2f..%2fmanage.py", "swagger-ui-bundle.js.map"])
def test_only_the_pages_own_files_are_served(name: str) -> None:
    assert Client().get(f"/api/v1/docs/shop/assets/{name}").status_code == 404


def test_a_page_is_only_read() -> None:
    assert Client().post("/api/v1/docs/shop/").status_code == 405


def test_boot_imports_no_generator() -> None:
    """What a service does not answer with it does not load."""
    script = """
import django, sys
django.setup()
from django.urls import get_resolver
assert get_resolver("tests.web.internal_api").url_patterns
sys.exit(any(name.startswith("drf_spectacular") for name in sys.modules))
"""
    environment = {"DJANGO_SETTINGS_MODULE": "tests.project.settings", "PYTHONPATH": "."}
    assert subprocess.run([sys.executable, "-c", script], env=environment, check=False).returncode == 0
