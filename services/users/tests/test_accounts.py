"""Accounts and profiles: what their owner and staff may do with them, and what nobody may."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from bandstand.auth import revocation
from bandstand.testing.facts import Facts
from bandstand.testing.tokens import service_headers, user_headers
from users import commands
from users.models import User, UserProfile

pytestmark = pytest.mark.django_db
JSON = "application/json"
PASSWORD = "four-Strings-0f-gut"


def path_of(user: User, rest: str = "") -> str:
    return f"/api/v1/users/{user.pk}/{rest}"


def put(client: Client, path: str, body: Any, **headers: str) -> Any:
    return client.put(path, body, content_type=JSON, headers=headers)


def patch(client: Client, path: str, body: Any, **headers: str) -> Any:
    return client.patch(path, body, content_type=JSON, headers=headers)


EVERY_OWN_ROUTE = [
    ("GET", ""),
    ("PUT", ""),
    ("PATCH", ""),
    ("DELETE", ""),
    ("GET", "profile/"),
    ("PUT", "profile/"),
    ("POST", "change_password/"),
]


@pytest.mark.parametrize(("method", "rest"), EVERY_OWN_ROUTE)
def test_somebody_elses_account_is_as_absent_as_none(
    ada: User, as_bob: Client, client: Client, facts: Facts, method: str, rest: str
) -> None:
    facts()
    body = {"old_password": PASSWORD, "new_password": "new-" + PASSWORD} if "password" in rest else {"username": "x"}
    answers = []
    for user_id in (ada.pk, uuid4()):
        for caller in (as_bob, client, Client(headers=service_headers("orders"))):
            path = f"/api/v1/users/{user_id}/{rest}"
            answers.append(caller.generic(method, path, str(body).replace("'", '"'), content_type=JSON))
    assert [answer.status_code for answer in answers] == [404, 401, 401] * 2
    foreign, absent = answers[0].json()["error"], answers[3].json()["error"]
    assert (foreign["code"], foreign["message"], foreign["details"]) == (
        absent["code"],
        absent["message"],
        absent["details"],
    )
    assert facts() == []


@pytest.mark.parametrize(("method", "path"), [
    ("GET", "/api/v1/users/"),
    ("GET", "/api/v1/users/search/?q=a"),
    ("POST", "/api/v1/users/{}/deactivate/"),
    ("POST", "/api/v1/users/{}/activate/"),
])  # fmt: skip
def test_what_is_for_staff_is_for_staff(
    ada: User, as_ada: Client, as_staff: Client, client: Client, method: str, path: str
) -> None:
    callers = (client, as_ada, Client(headers=service_headers("orders")), as_staff)
    statuses = [caller.generic(method, path.format(ada.pk)).status_code for caller in callers]
    assert statuses == [401, 403, 401, 200]


def test_nothing_but_the_token_says_who_is_asking(ada: User, as_bob: Client, client: Client) -> None:
    claims = {"X-User-ID": str(ada.pk), "X-Service-Token": "x", "X-Roles": "staff", "X-HTTP-Method-Override": "DELETE"}
    assert client.get(path_of(ada), headers=claims).status_code == 401
    assert as_bob.get(path_of(ada), headers=claims).status_code == 404
    assert client.post("/api/v1/users/me/?_method=GET", headers=claims).status_code in (401, 405)
    assert User.objects.filter(deleted_at=None).count() == 2


def test_me_is_the_user_of_the_token(ada: User, as_ada: Client, client: Client) -> None:
    mine = as_ada.get("/api/v1/users/me/")
    assert mine.json() == as_ada.get(path_of(ada)).json()
    assert mine.headers["ETag"] == as_ada.get(path_of(ada)).headers["ETag"]
    assert client.get("/api/v1/users/me/").status_code == 401


@pytest.mark.parametrize("path", ["me/", "{}/", "{}/profile/"])
def test_what_is_known_already_is_not_sent_again(ada: User, as_ada: Client, path: str) -> None:
    path = "/api/v1/users/" + path.format(ada.pk)
    tag = as_ada.get(path).headers["ETag"]
    again = as_ada.get(path, headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert as_ada.get(path, headers={"If-None-Match": '"another"'}).status_code == 200


def test_staff_list_everybody_but_the_deleted_newest_first(join: Callable[..., User], as_staff: Client) -> None:
    people = [join(name) for name in ("ada", "bob", "cyd")]
    commands.delete_user(user_id=people[1].pk)
    listed = as_staff.get("/api/v1/users/?page_size=1").json()
    assert [user["username"] for user in listed["results"]] == ["cyd"]
    assert listed["pagination"]["total_items"] == 2
    assert "password" not in str(listed)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=AD", ["adam", "ada"]),
        ("q=adam@example", ["adam"]),
        ("q=ada&limit=1", ["adam"]),
        ("q=%25", []),
        ("q=a_a", []),
        ("q=' OR 1=1 --", []),
    ],
)
def test_staff_search_names_and_addresses(
    join: Callable[..., User], as_staff: Client, query: str, found: list[str]
) -> None:
    for name in ("ada", "adam", "bob"):
        join(name)
    results = as_staff.get(f"/api/v1/users/search/?{query}").json()["results"]
    assert [user["username"] for user in results] == found


@pytest.mark.parametrize("query", ["", "q=", "q=a&limit=0", "q=a&limit=101", "q=a&limit=x", "q=a&deep=1"])
def test_a_search_for_nothing_or_without_bounds_is_refused(as_staff: Client, query: str) -> None:
    assert as_staff.get(f"/api/v1/users/search/?{query}").status_code == 400


def test_listing_takes_as_many_queries_for_many_as_for_one(
    join: Callable[..., User], as_staff: Client, django_assert_num_queries: Any
) -> None:
    revocation.refresh()  # else the first token that is verified reads the revocations
    for number in range(5):
        join(f"user{number}")
        with django_assert_num_queries(2):
            as_staff.get("/api/v1/users/")


def test_what_was_read_can_be_put_back_and_changes_nothing(ada: User, as_ada: Client, facts: Facts) -> None:
    facts()
    shown = as_ada.get(path_of(ada))
    answer = put(as_ada, path_of(ada), shown.json())
    assert (answer.status_code, answer.json()) == (200, shown.json())
    assert answer.headers["ETag"] == shown.headers["ETag"]
    assert facts() == [], "nothing changed, so nobody is told"


def test_put_replaces_and_patch_changes(ada: User, as_ada: Client, facts: Facts) -> None:
    facts()
    patched = patch(as_ada, path_of(ada), {"phone_number": "+44 1", "date_of_birth": "1985-12-10"}).json()
    assert (patched["first_name"], patched["phone_number"], patched["date_of_birth"]) == ("Ada", "+44 1", "1985-12-10")
    replaced = put(as_ada, path_of(ada), {"username": "countess", "last_name": "King"}).json()
    assert [replaced[name] for name in ("username", "first_name", "last_name", "phone_number", "date_of_birth")] == [
        "countess", "", "King", "", None,
    ]  # fmt: skip
    published = [(name, data["username"]) for name, data in facts()]
    assert published == [("user_updated.v1", "ada"), ("user_updated.v1", "countess")]


def test_put_needs_the_name(ada: User, as_ada: Client) -> None:
    answer = put(as_ada, path_of(ada), {"first_name": "A"})
    assert (answer.status_code, list(answer.json()["error"]["details"]["field_errors"])) == (400, ["username"])


READ_ONLY = {"id": str(uuid4()), "email": "eve@example.com", "is_active": False, "is_verified": True, "roles": ["x"]}


@pytest.mark.parametrize("field", READ_ONLY)
def test_read_only_fields_may_be_sent_and_change_nothing(ada: User, as_ada: Client, field: str) -> None:
    before = as_ada.get(path_of(ada)).json()
    answer = patch(as_ada, path_of(ada), {field: READ_ONLY[field]})
    assert (answer.status_code, answer.json()) == (200, before)


@pytest.mark.parametrize("field", ["is_staff", "is_superuser", "password", "deleted_at", "groups", "sessions"])
def test_unknown_fields_are_refused(ada: User, as_ada: Client, field: str) -> None:
    before = User.objects.values().get()
    for send in (put, patch):
        answer = send(as_ada, path_of(ada), {"username": "ada", field: True})
        assert (answer.status_code, list(answer.json()["error"]["details"]["field_errors"])) == (400, [field])
    assert User.objects.values().get() == before


def test_a_stale_tag_is_refused_and_a_taken_name_too(ada: User, as_ada: Client, as_bob: Client) -> None:
    tag = as_ada.get(path_of(ada)).headers["ETag"]
    assert patch(as_ada, path_of(ada), {"first_name": "A"}, **{"If-Match": tag}).status_code == 200
    assert patch(as_ada, path_of(ada), {"first_name": "B"}, **{"If-Match": tag}).status_code == 412
    assert put(as_ada, path_of(ada), {"username": "B"}, **{"If-Match": tag}).status_code == 412
    answer = patch(as_ada, path_of(ada), {"username": "BOB"})
    assert answer.json()["error"]["details"]["business_rule"] == "unique_username"
    assert User.objects.get(pk=ada.pk).first_name == "A"


def test_a_profile_is_replaced_by_its_owner_and_read_by_staff(ada: User, as_ada: Client, as_staff: Client) -> None:
    path = path_of(ada, "profile/")
    empty = {"bio": "", "location": "", "website": "", "avatar": "", "preferences": {}}
    assert as_ada.get(path).json() == empty
    wish = {"bio": "I count.", "website": "https://example.com/", "preferences": {"theme": {"dark": True, "n": [1]}}}
    answer = put(as_ada, path, wish)
    assert (answer.status_code, answer.json()) == (200, empty | wish)
    assert as_staff.get(path).json() == empty | wish
    assert put(as_ada, path, {}, **{"If-Match": '"stale"'}).status_code == 412
    assert put(as_ada, path, {}, **{"If-Match": answer.headers["ETag"]}).json() == empty


def nested(depth: int) -> Any:
    return {"a": nested(depth - 1)} if depth else 1


@pytest.mark.parametrize(
    "body",
    [
        {"bio": "x" * 2001},
        {"bio": "a\0b"},
        {"bio": 5},
        {"website": "javascript:alert(1)"},
        {"avatar": "not a url"},
        {"preferences": []},
        {"preferences": {"x": "y" * 10_000}},
        {"preferences": {"a": {"b": "\0"}}},
        {"preferences": {"\0": 1}},
        {"preferences": {"n": 2**70}},
        {"preferences": nested(40)},
        {"user": str(uuid4())},
    ],
)
def test_a_profile_has_bounds(ada: User, as_ada: Client, body: Any) -> None:
    before = UserProfile.objects.values().get()
    assert put(as_ada, path_of(ada, "profile/"), body).status_code == 400
    assert UserProfile.objects.values().get() == before


def test_staff_keep_a_user_out_and_let_them_in_again(ada: User, as_staff: Client, facts: Facts) -> None:
    session = commands.log_in(email=ada.email, password=PASSWORD)
    facts()
    statuses = []
    for action in ("deactivate/", "deactivate/", "activate/", "activate/"):
        answer = as_staff.post(path_of(ada, action))
        statuses.append((answer.status_code, answer.json()["is_active"]))
    assert statuses == [(200, False), (200, False), (200, True), (200, True)]
    assert [name for name, _ in facts()] == ["access_revoked.v1", "user_deactivated.v1", "user_activated.v1"]
    assert session.user.pk == ada.pk


@pytest.mark.parametrize("by", ["as_ada", "as_staff"])
def test_an_account_is_deleted_by_its_owner_or_by_staff(
    ada: User, as_staff: Client, facts: Facts, request: pytest.FixtureRequest, by: str
) -> None:
    caller: Client = request.getfixturevalue(by)
    commands.log_in(email=ada.email, password=PASSWORD)
    facts()
    assert caller.delete(path_of(ada)).status_code == 204
    assert [name for name, _ in facts()] == ["access_revoked.v1", "user_deactivated.v1"]
    for answer in (
        caller.delete(path_of(ada)),
        as_staff.get(path_of(ada)),
        as_staff.get(path_of(ada, "profile/")),
        as_staff.post(path_of(ada, "activate/")),
        patch(as_staff, path_of(ada), {"first_name": "A"}),
    ):
        assert answer.status_code == 404
    assert User.objects.get().deleted_at is not None, "what refers to the person still can"


def test_orders_and_nobody_else_asks_whether_a_user_may_act(ada: User, as_staff: Client, client: Client) -> None:
    path = f"/internal/v1/users/{ada.pk}/"
    orders = Client(headers=service_headers("orders"))
    assert orders.get(path).json() == {"id": str(ada.pk), "is_active": True}
    callers = (client, as_staff, Client(headers=service_headers("payments")))
    assert [caller.get(path).status_code for caller in callers] == [401, 401, 403]
    commands.deactivate_user(user_id=ada.pk)
    assert orders.get(path).json() == {"id": str(ada.pk), "is_active": False}
    commands.delete_user(user_id=ada.pk)
    assert [orders.get(each).status_code for each in (path, f"/internal/v1/users/{uuid4()}/")] == [404, 404]
    assert orders.delete(path).status_code == 405


@pytest.mark.parametrize("user_id", ["x", "1", "%00", "019b76da-a800-7000-8000-00000000000g"])
def test_what_is_no_id_is_not_found(as_staff: Client, user_id: str) -> None:
    assert as_staff.get(f"/api/v1/users/{user_id}/").status_code == 404


def test_a_staff_token_says_so_and_no_field_does(ada: User) -> None:
    client = Client(headers=user_headers(user_id=ada.pk, roles=["Staff", "admin"]))
    assert client.get("/api/v1/users/").status_code == 403
