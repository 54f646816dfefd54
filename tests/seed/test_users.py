"""The articles' user service, checklist 29, 36, 121, 124-127: each fault on a few lines, and ours without it."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.seed.in_service import in_service

# What every program of ours begins with: people join and sign in through the API, as anybody does.
_PEOPLE = """
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from django.db import connection
from django.test import Client
from bandstand.testing.tokens import trusting
from users.models import User, UserProfile
trusting("users", folder=Path("{data}")).enable()
PASSWORD = "four-Strings-0f-gut"
JSON = "application/json"
def join(name):
    body = {{"username": name, "email": f"{{name}}@example.com", "password": PASSWORD}}
    return Client().post("/api/v1/users/", body, content_type=JSON)
def sign_in(name):
    body = {{"email": f"{{name}}@example.com", "password": PASSWORD}}
    token = Client().post("/api/v1/auth/token/", body, content_type=JSON).json()["access"]
    return Client(headers={{"Authorization": f"Bearer {{token}}"}})
"""


def in_users(program: str, data: Path) -> Any:
    return in_service("users", _PEOPLE.format(data=data) + program, data=data)


@dataclass
class Table:
    """Users as far as the naive code needs them; `unique` is the database's constraint."""

    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    unique: bool = True

    def has(self, email: str) -> bool:
        return any(row["email"] == email for row in self.rows.values())

    def create(self, email: str, **fields: Any) -> int:
        if self.unique and self.has(email):
            raise RuntimeError("IntegrityError")  # nobody catches it: a 500
        self.rows[len(self.rows) + 1] = {"email": email, "is_active": True, "bio": "", **fields}
        return len(self.rows)


def naive_create_user(table: Table, email: str) -> Iterator[int]:
    """`if User.objects.filter(email=email).exists(): raise …; User.objects.create(…)`, a statement at a time."""
    if table.has(email):
        yield 422
        return
    yield 0
    table.create(email)
    yield 201


def test_29_the_naive_check_lets_two_through_and_the_second_is_an_error_500() -> None:
    table = Table()
    first, second = (naive_create_user(table, "ada@example.com") for _ in range(2))
    assert [next(first), next(second)] == [0, 0], "both have looked, neither has written"
    assert next(first) == 201
    with pytest.raises(RuntimeError, match="IntegrityError"):
        next(second)


def test_29_the_naive_check_takes_one_address_in_two_cases() -> None:
    table = Table()
    for email in ("ada@example.com", "Ada@Example.com"):
        assert list(naive_create_user(table, email)) == [0, 201]


def test_29_ours_takes_one_of_many_and_tells_the_others_which_rule(tmp_path: Path) -> None:
    program = """
def work(number):
    body = {"username": f"u{number}", "email": ["ada@example.com", "ADA@Example.com"][number % 2], "password": PASSWORD}
    answer = Client().post("/api/v1/users/", body, content_type=JSON)
    connection.close()
    return [answer.status_code, answer.json().get("error", {}).get("details", {}).get("business_rule", "")]
with ThreadPoolExecutor(8) as pool:
    answers = list(pool.map(work, range(16)))
counts = [answers.count([201, ""]), answers.count([422, "unique_email"])]
print(json.dumps([counts, User.objects.count(), UserProfile.objects.count()]))
"""
    assert in_users(program, tmp_path) == [[1, 15], 1, 1]


def naive_log(logger: logging.Logger, email: str, error: Exception) -> None:
    """The article's lines: the address in the text, the error's text with the statement's parameters."""
    logger.info(f"Creating user: {email}")  # noqa: G004 - the fault
    logger.error(f"User creation failed: {error}")  # noqa: G004 - the fault


def test_36_the_naive_lines_hold_the_address(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    naive_log(logging.getLogger("articles"), "ada@example.com", ValueError("(email)=(ada@example.com) exists"))
    assert caplog.text.count("ada@example.com") == 2


def test_36_ours_writes_no_address_name_or_password_whatever_goes_wrong(tmp_path: Path) -> None:
    program = """
import io
from bandstand.observability.logging import JsonFormatter, LineHandler
stream = io.StringIO()
handler = LineHandler(stream)
handler.setFormatter(JsonFormatter())
logging.disable(logging.NOTSET)
logging.getLogger().handlers = [handler]
logging.getLogger().setLevel(logging.DEBUG)
for name in ("countess", "countess", "counteSS"):
    join(name)
sign_in("countess").get("/api/v1/users/me/")
wrong = {"email": "countess@example.com", "password": "not-the-Password"}
Client().post("/api/v1/auth/token/", wrong, content_type=JSON)
lines = stream.getvalue()
held = [word for word in ("countess", "example.com", PASSWORD, "not-the-Password", "eyJ") if word in lines.lower()]
events = {json.loads(line)["event"] for line in lines.splitlines()}
print(json.dumps([held, sorted(events & {"session.opened", "sign_in.refused"})]))
"""
    assert in_users(program, tmp_path) == [[], ["session.opened", "sign_in.refused"]]


def naive_get_permissions(action: str) -> str:
    """`if self.action == "create": AllowAny, else the default: IsAuthenticated`, for all actions of the view set."""
    return "AllowAny" if action == "create" else "IsAuthenticated"


def test_124_the_naive_login_needs_a_login() -> None:
    assert naive_get_permissions("authenticate") == "IsAuthenticated"


def test_121_and_124_ours_lets_people_sign_in_and_is_closed_otherwise(tmp_path: Path) -> None:
    program = """
join("ada")
anybody = Client()
me = [anybody.get("/api/v1/users/me/").status_code, sign_in("ada").get("/api/v1/users/me/").status_code]
body = {"email": "ada@example.com", "password": PASSWORD}
print(json.dumps([me, anybody.post("/api/v1/users/authenticate/", body, content_type=JSON).status_code]))
"""
    assert in_users(program, tmp_path) == [[401, 200], 200]


class NaiveViewSet:
    """`ModelViewSet` with `IsAuthenticated`: whoever is signed in may name any row."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def change_password(self, caller: int, pk: int, new: str | None) -> int:
        self.table.rows[pk]["password"] = new
        return 200

    def profile(self, caller: int, pk: int, bio: str) -> int:
        self.table.rows[pk]["bio"] = bio
        return 200

    def destroy(self, caller: int, pk: int) -> int:
        del self.table.rows[pk]
        return 204

    def list(self, caller: int) -> list[str]:
        return [row["email"] for row in self.table.rows.values()]


def test_125_to_127_the_naive_view_set_lets_anybody_do_anything_to_anybody() -> None:
    table = Table()
    ada, eve = table.create("ada@example.com"), table.create("eve@example.com")
    views = NaiveViewSet(table)
    assert views.list(eve) == ["ada@example.com", "eve@example.com"]
    assert (views.change_password(eve, ada, None), views.profile(eve, ada, "owned")) == (200, 200)
    assert table.rows[ada] == {"email": "ada@example.com", "is_active": True, "bio": "owned", "password": None}
    assert views.destroy(eve, ada) == 204
    assert ada not in table.rows


def test_125_to_127_ours_answers_for_a_foreign_account_as_for_none(tmp_path: Path) -> None:
    program = """
from uuid import uuid4
ada = join("ada").json()["id"]
join("eve")
eve = sign_in("eve")
password = {"old_password": PASSWORD, "new_password": "six-Strings-0f-steel"}
def attempts(user_id):
    path = f"/api/v1/users/{user_id}/"
    answers = [
        eve.post(path + "change_password/", password, content_type=JSON),
        eve.get(path + "profile/"),
        eve.put(path + "profile/", {"bio": "owned"}, content_type=JSON),
        eve.get(path),
        eve.put(path, {"username": "owned"}, content_type=JSON),
        eve.delete(path),
    ]
    return [answer.status_code for answer in answers]
before = list(User.objects.order_by("pk").values_list("username", "password", "deleted_at"))
statuses = [attempts(ada), attempts(uuid4())]
same = before == list(User.objects.order_by("pk").values_list("username", "password", "deleted_at"))
print(json.dumps([statuses, eve.get("/api/v1/users/").status_code, same, UserProfile.objects.filter(bio="").count()]))
"""
    assert in_users(program, tmp_path) == [[[404] * 6, [404] * 6], 403, True, 2]
