"""What the system checks of auth find."""

from collections.abc import Callable

import pytest
from django.core.checks import CheckMessage
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import include, path
from django.views import View
from rest_framework.decorators import api_view, permission_classes
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from bandstand import auth
from bandstand.auth.checks import check_default_denial, check_policies, check_signing_key
from bandstand.auth.keys import generate_key
from bandstand.auth.rest import Public, SignedIn, Staff

Become = Callable[..., None]


class Declared(APIView):
    permission_classes = [SignedIn | Staff]


class Inheriting(Declared):
    pass


class Undeclared(APIView):
    pass


class Foreign(APIView):
    permission_classes = [IsAuthenticated]


class Empty(APIView):
    permission_classes: list[type] = []


class Mixed(APIView):
    permission_classes = [SignedIn | AllowAny]


class Set(ViewSet):
    permission_classes = [~Staff]

    def list(self, request: Request) -> Response:
        return Response([])


@api_view()
@permission_classes([Public])
def declared_function(request: Request) -> Response:
    return Response({})


@api_view()
def undeclared_function(request: Request) -> Response:
    return Response({})


@auth.public
def plain_public(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


class PlainClass(View):
    policy = "signed webhook"


urlpatterns = [
    path("declared/", Declared.as_view()),
    path("inheriting/", Inheriting.as_view()),
    path("given/", Undeclared.as_view(permission_classes=[Public])),
    path("set/", Set.as_view({"get": "list"})),
    path("function/", declared_function),
    path("plain-public/", plain_public),
    path("plain-class/", PlainClass.as_view()),
    path("bad-undeclared/", Undeclared.as_view()),
    path("bad-foreign/", Foreign.as_view()),
    path("bad-empty/", Empty.as_view()),
    path("bad-mixed/", Mixed.as_view()),
    path("bad-given/", Declared.as_view(permission_classes=[AllowAny])),
    path("bad-function/", undeclared_function),
    path("nested/", include([path("bad-plain/", plain)])),
    path("bad-view/", View.as_view()),
]


@pytest.mark.urls(__name__)
def test_a_view_without_a_policy_is_found_wherever_it_is_routed() -> None:
    found = check_policies(None)
    assert {message.id for message in found} == {"bandstand.E101"}
    routes = [message.msg.partition("'")[2].partition("'")[0] for message in found]
    assert routes == [str(each) for each in _routes() if "bad" in each]


def _routes() -> list[str]:
    return [
        f"{each.pattern}bad-plain/" if str(each.pattern) == "nested/" else str(each.pattern) for each in urlpatterns
    ]


@pytest.mark.parametrize(
    ("defaults", "errors"),
    [
        (["bandstand.auth.rest.Closed"], 0),
        (["bandstand.auth.rest.SignedIn"], 0),
        (["rest_framework.permissions.AllowAny"], 1),
        (["bandstand.auth.rest.Public"], 1),
        ([], 1),
    ],
)
def test_a_default_that_lets_anybody_in_is_an_error(defaults: list[str], errors: int) -> None:
    with override_settings(REST_FRAMEWORK={"DEFAULT_PERMISSION_CLASSES": defaults}):
        assert [message.id for message in check_default_denial(None)] == ["bandstand.E102"] * errors


def test_a_signing_key_that_cannot_sign_is_an_error(as_service: Become) -> None:
    def found() -> list[CheckMessage]:
        return check_signing_key(None)

    as_service("orders")
    assert found() == []
    as_service("orders", SIGNING_KEY='{"kty": "EC"}')
    assert [message.id for message in found()] == ["bandstand.E103"]
    assert generate_key()["kty"] == "EC"
