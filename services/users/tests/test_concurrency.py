"""Many at once: one account for an address, one successor for a token, nobody in who was just shut out."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from bandstand.errors import ServiceError
from users import commands
from users.errors import LinkRefused
from users.models import RefreshToken, Session, User, UserProfile

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "four-Strings-0f-gut"
TIMES = 20


def at_once(work: Callable[[int], Any], *, times: int = TIMES) -> list[Any]:
    """Do *work* so many times by eight threads; errors are results."""

    def attempt(number: int) -> Any:
        try:
            return work(number)
        except ServiceError as error:
            return type(error).__name__
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(attempt, range(times)))


@pytest.mark.parametrize("same", ["email", "username"])
def test_of_many_who_join_with_one_address_or_name_one_wins(same: str) -> None:
    def register(number: int) -> tuple[int, str]:
        body = {"username": f"ada{number}", "email": f"ada{number}@example.com", "password": PASSWORD}
        body[same] = {"email": "aDa@example.com", "username": "Ada"}[same]
        body[same] = body[same].upper() if number % 2 else body[same]
        answer = Client().post("/api/v1/users/", body, content_type="application/json")
        rule = "" if answer.status_code == 201 else answer.json()["error"]["details"]["business_rule"]
        return answer.status_code, rule

    assert Counter(at_once(register)) == {(201, ""): 1, (422, f"unique_{same}"): TIMES - 1}
    assert (User.objects.count(), UserProfile.objects.count()) == (1, 1)


def test_one_refresh_token_used_by_many_has_one_successor(ada: User) -> None:
    token = commands.log_in(email=ada.email, password=PASSWORD).refresh
    successors = at_once(lambda _: commands.refresh(token=token).refresh)
    assert len(set(successors)) == 1
    assert RefreshToken.objects.count() == 2
    assert commands.refresh(token=successors[0]).refresh != successors[0]


def test_whoever_signs_in_or_refreshes_while_being_shut_out_has_no_session_afterwards(ada: User) -> None:
    tokens = [commands.log_in(email=ada.email, password=PASSWORD).refresh for _ in range(TIMES)]

    def either(number: int) -> str:
        if number == TIMES // 2:
            commands.deactivate_user(user_id=ada.pk)
        elif number % 2:
            commands.log_in(email=ada.email, password=PASSWORD)
        else:
            commands.refresh(token=tokens[number])
        return "ok"

    assert set(at_once(either)) <= {"ok", "WrongCredentials", "RefreshRefused"}
    assert not Session.objects.filter(ended_at__isnull=True).exists()


def test_a_link_is_used_once_however_many_use_it(ada: User) -> None:
    reset, verify = (commands.link_token(ada, purpose=purpose) for purpose in ("reset", "verify"))

    def use_reset(number: int) -> None:
        commands.reset_password(token=reset, new_password=f"{PASSWORD}-{number}")

    results = Counter(at_once(use_reset, times=8))
    assert results == {None: 1, LinkRefused.__name__: 7}
    assert Counter(at_once(lambda _: commands.verify_user(token=verify), times=8)) == {None: 1, "LinkRefused": 7}


def test_of_two_changes_by_one_old_password_one_wins(ada: User) -> None:
    def change(number: int) -> None:
        commands.change_password(user_id=ada.pk, old=PASSWORD, new=f"{PASSWORD}-{number}", keep_session=None)

    assert Counter(at_once(change, times=8)) == {None: 1, "ValidationFailed": 7}
