"""Joining: all or nothing, each address once, nothing but what may be told, and privately if so wished."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.db import OperationalError, connection
from django.test import Client

from bandstand.testing.facts import Facts
from bandstand.web.models import IdempotencyClaim
from users.config import users_config
from users.models import LinkMail, User, UserProfile

pytestmark = pytest.mark.django_db
JSON = "application/json"
WISH = {"username": "ada", "email": "Ada@Example.com", "password": "four-Strings-0f-gut"}


def register(client: Client, headers: dict[str, str] | None = None, **changes: Any) -> Any:
    return client.post("/api/v1/users/", WISH | changes, content_type=JSON, headers=headers)


@pytest.fixture
def private(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The setting that keeps known addresses to ourselves."""
    monkeypatch.setenv("USERS_PRIVATE_REGISTRATION", "true")
    users_config.cache_clear()
    yield
    users_config.cache_clear()


def test_an_account_comes_with_profile_event_and_the_mail_that_verifies_it(client: Client, facts: Facts) -> None:
    answer = register(client, first_name="Ada", phone_number="+44 20 7946", date_of_birth="1985-12-10")
    assert answer.status_code == 201
    user = User.objects.get()
    shown = answer.json()
    assert {name: shown[name] for name in ("id", "username", "email", "first_name", "is_active", "is_verified")} == {
        "id": str(user.pk),
        "username": "ada",
        "email": "Ada@Example.com",
        "first_name": "Ada",
        "is_active": True,
        "is_verified": False,
    }
    assert set(shown) == {
        "id", "username", "email", "first_name", "last_name", "phone_number", "date_of_birth",
        "is_active", "is_verified", "roles", "created_at", "updated_at",
    }  # fmt: skip
    assert UserProfile.objects.get().user_id == user.pk
    assert LinkMail.objects.get().purpose == "verify"
    assert facts() == [("user_registered.v1", {"user_id": str(user.pk), "email": "Ada@Example.com", "username": "ada"})]


@pytest.mark.parametrize("table", ["users_userprofile", "users_linkmail", "bandstand_events_outbox"])
def test_what_fails_on_the_way_leaves_nothing(client: Client, facts: Facts, table: str) -> None:
    """The article's sequence - user, then profile, then event - leaves users without the rest."""

    def fail(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.lstrip().startswith("INSERT") and table in sql:
            raise OperationalError("disk full")
        return execute(sql, *rest)

    with connection.execute_wrapper(fail):
        assert register(client).status_code in (500, 503)
    assert (User.objects.count(), UserProfile.objects.count(), LinkMail.objects.count()) == (0, 0, 0)
    assert facts() == []


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"username": "eve", "email": "ada@example.COM"}, "unique_email"),
        ({"username": "ADA", "email": "eve@example.com"}, "unique_username"),
    ],
)
def test_address_and_name_belong_to_one_person_in_whatever_case(
    client: Client, facts: Facts, changes: dict[str, str], rule: str
) -> None:
    register(client)
    facts()
    answer = register(client, **changes)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (422, "BUSINESS_LOGIC_ERROR")
    assert error["details"]["business_rule"] == rule
    assert (User.objects.count(), facts()) == (1, [])


@pytest.mark.parametrize("password", ["short", "12345678901", "password123", "Ada@Example.com", ""])
def test_a_weak_password_is_refused_by_the_field(client: Client, password: str) -> None:
    answer = register(client, password=password)
    assert answer.status_code == 400
    assert set(answer.json()["error"]["details"]["field_errors"]) == {"password"}
    assert not User.objects.exists()


FORBIDDEN = ["is_staff", "is_superuser", "is_active", "is_verified", "roles", "role", "id", "groups", "created_at"]


@pytest.mark.parametrize("field", FORBIDDEN)
def test_what_is_not_the_callers_to_say_is_an_unknown_field(client: Client, field: str) -> None:
    answer = register(client, **{field: True})
    assert (answer.status_code, list(answer.json()["error"]["details"]["field_errors"])) == (400, [field])
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"email": "no address"},
        {"email": "a@exämple.com"},
        {"email": "a\nBcc: b@example.com"},
        {"email": None},
        {"email": "a" * 250 + "@example.com"},
        {"username": ""},
        {"username": "a b"},
        {"username": 7},
        {"username": "x" * 151},
        {"username": "a\0b"},
        {"password": 12345678},
        {"date_of_birth": "2999-01-01"},
        {"date_of_birth": "1700-01-01"},
        {"date_of_birth": "10.12.1985"},
        {"phone_number": "call me"},
    ],
)
def test_what_makes_no_sense_is_refused(client: Client, changes: dict[str, Any]) -> None:
    assert register(client, **changes).status_code == 400
    assert not User.objects.exists()


def test_a_name_has_one_spelling_however_it_is_composed(client: Client) -> None:
    assert register(client, username="Zoe\u0308").json()["username"] == "Zo\u00eb"
    again = register(client, username="Zo\u00eb", email="zoe@example.com")
    assert again.json()["error"]["details"]["business_rule"] == "unique_username"


def test_a_repeat_with_the_key_gives_the_first_answer(client: Client) -> None:
    key = {"Idempotency-Key": "join-ada-0001"}
    first, again = register(client, key), register(client, key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert User.objects.count() == 1


def test_what_is_kept_of_a_keyed_registration_is_no_help_in_guessing_the_password(
    client: Client, settings: Any
) -> None:
    """A plain hash of the body would let a stolen table be searched a million times faster than the password's hash."""
    kept = []
    for number in range(2):
        settings.SECRET_KEY = f"another-{number}"
        register(client, {"Idempotency-Key": "join-ada-0001"})
        kept.append(IdempotencyClaim.objects.values_list("fingerprint", flat=True).get())
        IdempotencyClaim.objects.all().delete()
        User.objects.all().delete()
    assert kept[0] != kept[1], "it depends on a secret that the table does not hold"


@pytest.mark.usefixtures("private")
def test_private_registration_answers_all_alike_and_tells_the_rest_by_mail(client: Client) -> None:
    answers = [
        register(client),
        register(client),
        register(client, email="ADA@example.com", username="someone"),
        register(client, email="eve@example.com"),
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {(202, b"{}")}
    assert [answer.has_header("ETag") or answer.has_header("Location") for answer in answers] == [False] * 4
    assert User.objects.count() == 1
    mails = LinkMail.objects.order_by("pk").values_list("purpose", "email")
    assert list(mails) == [
        ("verify", "Ada@Example.com"),
        ("address_taken", "Ada@Example.com"),
        ("address_taken", "ADA@example.com"),
        ("username_taken", "eve@example.com"),
    ]


def test_a_stored_password_is_a_hash(client: Client) -> None:
    register(client)
    stored = User.objects.get().password
    assert WISH["password"] not in stored
    assert stored.split("$")[0] == make_password("x").split("$")[0]
