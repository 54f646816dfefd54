"""Policies of REST framework views: 401 without a token, 403 for the wrong role, 404 for what is somebody else's."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bandstand import auth, context
from bandstand.auth.models import RevokedSession
from bandstand.auth.rest import Policy, Public, SelfOnly, SelfOrStaff, SignedIn, Staff, owned, principal_of
from bandstand.auth.views import jwks
from bandstand.context import Principal

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

Become = Callable[..., None]


def view(*permissions: type[Policy]) -> Callable[..., Any]:
    class Answer(APIView):
        permission_classes = list(permissions)

        def get(self, request: Request, **kwargs: object) -> Response:
            principal = principal_of(request)
            known = context.current().principal
            return Response({"id": principal and principal.id, "context": known and known.id})

    return Answer.as_view()


class Forgotten(APIView):
    def get(self, request: Request) -> Response:
        return Response({})


urlpatterns = [
    path("public/", view(Public)),
    path("signed-in/", view(SignedIn)),
    path("staff/", view(Staff)),
    path("self/<pk>/", view(SelfOnly)),
    path("self-or-staff/<pk>/", view(SelfOrStaff)),
    path("forgotten/", Forgotten.as_view()),
    path("jwks.json", jwks),
]


@pytest.fixture(autouse=True)
def users(as_service: Become) -> None:
    as_service("users")


def status(client: Client, url: str, user_id: str | None = None, *roles: str) -> int:
    headers = {} if user_id is None else {"Authorization": f"Bearer {auth.issue_access_token(user_id, roles=roles)}"}
    return client.get(url, headers=headers).status_code


@pytest.mark.parametrize(
    ("url", "nobody", "user", "other", "staff"),
    [
        ("/public/", 200, 200, 200, 200),
        ("/signed-in/", 401, 200, 200, 200),
        ("/staff/", 401, 403, 403, 200),
        ("/self/u-1/", 401, 200, 404, 404),
        ("/self-or-staff/u-1/", 401, 200, 404, 200),
        ("/forgotten/", 401, 403, 403, 403),
    ],
)
def test_who_gets_in(client: Client, url: str, nobody: int, user: int, other: int, staff: int) -> None:
    got = (
        status(client, url),
        status(client, url, "u-1"),
        status(client, url, "u-2"),
        status(client, url, "u-9", "staff"),
    )
    assert got == (nobody, user, other, staff)


@pytest.mark.parametrize("header", ["Bearer x", "Basic dTpw", "", "Bearer"])
def test_a_refused_token_is_a_401_even_where_none_is_needed(client: Client, header: str) -> None:
    for url in ("/public/", "/signed-in/"):
        answer = client.get(url, headers={"Authorization": header})
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_service_token_opens_no_users_route(client: Client) -> None:
    token = auth.service_token("users")
    assert client.get("/signed-in/", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_the_principal_is_known_to_the_work_at_hand(client: Client) -> None:
    header = f"Bearer {auth.issue_access_token('u-1')}"
    assert client.get("/signed-in/", headers={"Authorization": header}).json() == {"id": "u-1", "context": "u-1"}


def test_what_belongs_to_somebody_else_is_absent() -> None:
    rows = RevokedSession.objects.all()
    user, staff = Principal(id="u-1"), Principal(id="u-2", roles=frozenset({"staff"}))
    assert "u-1" in str(owned(rows, user).query)
    assert owned(rows, staff) is rows
    assert "u-2" in str(owned(rows, staff, staff=False).query)


def test_the_published_keys_are_public_and_cacheable(client: Client) -> None:
    answer = client.get("/jwks.json")
    assert "max-age=60" in answer.headers["Cache-Control"]
    assert len(answer.json()["keys"]) == 1
    assert "d" not in answer.json()["keys"][0]
