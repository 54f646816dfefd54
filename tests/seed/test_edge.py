"""The articles' edge, checklist 24-31, 53, 153-155, 162, R8 and R21: each fault shown, and mended in ours."""

import json
import threading
import uuid
from io import BytesIO
from types import ModuleType
from typing import Any

import pytest
from django.core.paginator import Paginator
from django.db import IntegrityError, connection
from django.http import Http404, HttpResponse, JsonResponse
from django.middleware.common import CommonMiddleware
from django.test import Client, RequestFactory, override_settings
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request
from rest_framework.routers import SimpleRouter
from rest_framework.viewsets import ViewSet
from tests.project.models import Product

from bandstand import context, errors
from bandstand.web.openapi import document
from bandstand.web.problems import exception_handler
from bandstand.web.routers import Router
from bandstand.web.wsgi import application_wrapper

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.web.api")]

BODY = {"sku": "A", "name": "Lamp", "price": {"amount": 100, "currency": "EUR"}}
request = RequestFactory().get("/users/")


class ServiceException(Exception):
    """As in article 000."""

    def __init__(self, message: str, error_code: str = "SERVICE_ERROR") -> None:
        super().__init__(message)
        self.error_code = error_code


def naive_handler(error: Exception, details: dict[str, Any]) -> JsonResponse | None:
    """Article 000's `custom_exception_handler`, with the imports it forgot."""
    if not isinstance(error, ServiceException):
        return None
    status = {"VALIDATION_ERROR": 400, "BUSINESS_LOGIC_ERROR": 422}.get(error.error_code, 400)
    body = {"code": error.error_code, "message": str(error), "correlation_id": str(uuid.uuid4())}
    return JsonResponse({"error": body}, status=status)


def envelope(error: Exception) -> tuple[int, dict[str, Any]]:
    response = exception_handler(error, {"request": request})
    return response.status_code, json.loads(response.content)["error"]


def test_24_a_fault_of_the_server_is_not_blamed_on_the_client() -> None:
    naive = naive_handler(ServiceException("boom", "INTERNAL_ERROR"), {})
    assert naive is not None
    assert naive.status_code == 400, "the fault: alarms on 5xx stay silent, nobody retries"

    status, error = envelope(ZeroDivisionError("boom"))
    assert (status, error["code"]) == (500, "INTERNAL_ERROR")


def test_26_every_error_has_the_envelope() -> None:
    assert naive_handler(Http404(), {}) is None, "the fault: Django's HTML page follows"
    for path in ("/nowhere/", "/raises/unexpected/", "/faults/unexpected/"):
        response = Client(raise_request_exception=False).get(path)
        assert set(response.json()["error"]) >= {"code", "message", "details", "correlation_id", "service", "timestamp"}


def test_27_the_error_carries_the_correlation_id_of_its_request() -> None:
    with context.bound(context.Context(correlation_id="request-0001")):
        naive = naive_handler(ServiceException("boom"), {})
        assert naive is not None
        assert json.loads(naive.content)["error"]["correlation_id"] != "request-0001", "the fault: freshly minted"

        assert envelope(errors.NotFound())[1]["correlation_id"] == "request-0001"


def test_27_what_a_remote_service_said_is_not_shown_to_the_public() -> None:
    failure = errors.ServiceHTTPError("GET http://users.internal:8001/ failed", status_code=500, host="10.0.0.7")
    naive = {"message": str(failure), "details": failure.details}
    assert "10.0.0.7" in str(naive), "the fault"

    status, error = envelope(failure)
    assert (status, error["details"]) == (502, {"status_code": 500})
    assert "internal" not in str(error)


def naive_view(fetch: Any) -> HttpResponse:
    """The catch-all of article 000's views."""
    try:
        return HttpResponse(fetch())
    except Exception as error:  # noqa: BLE001 - the fault
        return JsonResponse({"error": str(error)}, status=400)


def test_28_a_missing_object_is_404_and_not_whatever_a_catch_all_says() -> None:
    assert naive_view(lambda: Product.objects.get(sku="none")).status_code == 400, "the fault"

    assert envelope(Product.DoesNotExist())[0] == 404


def test_31_a_missing_user_is_404_in_the_shape_of_every_error() -> None:
    naive = json.loads(naive_view(lambda: Product.objects.get(sku="none")).content)
    assert isinstance(naive["error"], str), "the fault: another shape, without a code"

    response = Client().get("/products/0192f3a0-0000-7000-8000-000000000000/")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "NOT_FOUND")


def at_once(call: Any) -> list[Any]:
    barrier, found = threading.Barrier(2), []

    def run() -> None:
        try:
            found.append(call(barrier))
        except Exception as error:  # noqa: BLE001 - the test judges it
            found.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.django_db(transaction=True)
def test_29_two_who_want_the_same_name_at_once_get_one_and_a_conflict() -> None:
    def naive(barrier: threading.Barrier) -> str:
        if Product.objects.filter(sku="A").exists():
            return "refused"
        barrier.wait()  # both have looked
        Product.objects.create(sku="A", name="A")
        return "created"

    outcomes = at_once(naive)
    assert "created" in outcomes
    assert any(isinstance(outcome, IntegrityError) for outcome in outcomes), "the fault: an unhandled 500"

    def ours(barrier: threading.Barrier) -> int:
        barrier.wait()
        return Client().post("/products/", {**BODY, "sku": "B"}, content_type="application/json").status_code

    assert sorted(at_once(ours)) == [201, 409]


def naive_limit(environ: dict[str, Any]) -> int:
    """Article 000's `ResourceLimiter`."""
    size = environ.get("CONTENT_LENGTH")
    return 400 if size and int(size) > 1024 else 200


def test_53_a_body_is_bounded_whatever_its_length_claims_to_be() -> None:
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": BytesIO(b"x" * 4096), "wsgi.input_terminated": True}
    assert naive_limit(chunked) == 200, "the fault: a chunked body passes"
    with pytest.raises(ValueError, match="invalid literal"):
        naive_limit({"CONTENT_LENGTH": "garbage"})

    def status_of(environ: dict[str, Any]) -> str:
        found: list[str] = []
        application = application_wrapper(lambda *_: [b""], body_limit_bytes=1024)
        list(
            application(
                {"REQUEST_METHOD": "POST", "PATH_INFO": "/", **environ}, lambda status, *_: found.append(status)
            )
        )
        return found[0][:3]

    assert status_of(chunked) == "413"
    assert status_of({"CONTENT_LENGTH": "4096", "wsgi.input": BytesIO(b"x" * 4096)}) == "413"
    assert status_of({"CONTENT_LENGTH": "garbage", "wsgi.input": BytesIO()})[0] == "4"


def test_153_a_list_has_results_and_pagination() -> None:
    naive = PageNumberPagination()
    naive.page = Paginator([], 20).page(1)
    naive.request = Request(request)
    assert set(naive.get_paginated_response([]).data) == {"count", "next", "previous", "results"}, "the fault"

    answer = Client().get("/products/").json()
    assert set(answer) == {"results", "pagination"}
    assert Client().get("/products/?page_size=1000000").status_code == 400


def test_162_a_catalogue_entry_cannot_be_given_what_it_must_not_have() -> None:
    class Naive(serializers.ModelSerializer[Product]):
        class Meta:
            model = Product
            fields = "__all__"

    naive = Naive(data={"sku": "A", "name": "Lamp", "owner": "mallory", "price_amount": 0})
    assert naive.is_valid()
    assert naive.validated_data["owner"] == "mallory", "the fault: every column is writable"

    for field in ("owner", "id", "created_at", "is_active", "price_amount"):
        response = Client().post("/products/", {**BODY, field: "x"}, content_type="application/json")
        assert list(response.json()["error"]["details"]["field_errors"]) == [field]
    free = {**BODY, "price": {"amount": 0, "currency": "EUR"}}
    assert Client().post("/products/", free, content_type="application/json").status_code == 400
    assert not Product.objects.exists()


class Orders(ViewSet):
    """Something that can be listed and made."""

    def list(self, request: Request) -> None: ...
    def create(self, request: Request) -> None: ...


def test_r8_a_post_without_its_slash_is_never_redirected_into_a_get() -> None:
    naive = SimpleRouter()
    naive.register("orders", Orders, basename="order")
    post = RequestFactory().post("/orders")
    urls = ModuleType("naive_urls")
    urls.urlpatterns = naive.urls  # type: ignore[attr-defined]
    with override_settings(APPEND_SLASH=True, ROOT_URLCONF=urls):
        redirect = CommonMiddleware(lambda _: HttpResponse(status=404)).process_response(post, HttpResponse(status=404))
    assert redirect.status_code == 301, "the fault: clients follow with GET, get the list and 200, and made nothing"

    ours = Router()
    ours.register("orders", Orders, basename="order")
    assert {str(url.pattern) for url in ours.urls} == {"^orders/$", "^orders$"}
    response = Client().post("/products", BODY, content_type="application/json")
    assert (response.status_code, Product.objects.count()) == (201, 1)


def test_r21_the_document_says_how_errors_look(capsys: pytest.CaptureFixture[str]) -> None:
    from drf_spectacular.generators import SchemaGenerator
    from drf_spectacular.openapi import AutoSchema
    from rest_framework.views import APIView

    class Naive(APIView):
        permission_classes = []
        schema = AutoSchema()

        @extend_schema(responses={400: OpenApiExample("bad", value={"error": "x"})})
        def get(self, request: Request) -> None: ...

    from django.urls import path

    naive = SchemaGenerator(patterns=[path("naive/", Naive.as_view())]).get_schema(public=True)
    described = naive["paths"]["/naive/"]["get"]["responses"]["400"]["content"]["application/json"]["schema"]
    assert described.get("additionalProperties") == {}, "the fault: a free-form object"
    assert "could not resolve" in capsys.readouterr().err

    document.cache_clear()
    ours = document()
    document.cache_clear()
    schema = ours["components"]["responses"]["ValidationFailed"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/Error"}
    assert set(ours["components"]["schemas"]["Error"]["properties"]["error"]["required"]) >= {"code", "message"}
