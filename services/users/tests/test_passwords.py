"""Passwords and links: changed by their owner alone, reset by a mail that works once, verified likewise."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection
from django.test import Client

from bandstand.auth import authenticate_user
from bandstand.testing.clock import HeldClock
from bandstand.testing.facts import Facts
from bandstand.testing.tokens import user_headers
from users import commands
from users.consumers.link_mails import send
from users.models import LinkMail, Session, User

pytestmark = pytest.mark.django_db
JSON = "application/json"
PASSWORD, NEW = "four-Strings-0f-gut", "six-Strings-0f-steel"


class BrokenBackend(EmailBackend):
    """A mail server that is down."""

    def send_messages(self, messages: Any) -> int:
        """Refuse."""
        raise ConnectionRefusedError("no server")


def deliver() -> list[mail.EmailMessage]:
    """What one round of the loop sends."""
    mail.outbox = []
    for each in commands.claim_link_mails(limit=20):
        send(each)
    return mail.outbox


def token_in(message: mail.EmailMessage) -> str:
    return str(message.body).strip().splitlines()[-1]


def post(client: Client, path: str, **body: Any) -> Any:
    return client.post(f"/api/v1/users/{path}", body, content_type=JSON)


def test_a_changed_password_ends_every_session_but_its_own(client: Client, ada: User, facts: Facts) -> None:
    here, there = (commands.log_in(email=ada.email, password=PASSWORD) for _ in range(2))
    facts()
    principal = authenticate_user(f"Bearer {here.access}")
    assert principal is not None
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {here.access}"
    assert post(client, f"{ada.pk}/change_password/", old_password=PASSWORD, new_password=NEW).status_code == 204
    assert Session.objects.get(ended_at=None).pk.hex == str(principal.session).replace("-", "")
    assert len(facts()) == 1
    assert commands.refresh(token=here.refresh).user.pk == ada.pk
    for attempt in (lambda: commands.refresh(token=there.refresh), lambda: login(PASSWORD)):
        with pytest.raises(Exception, match=r"session has ended|is wrong"):
            attempt()
    assert login(NEW).user.pk == ada.pk


def login(password: str) -> commands.Tokens:
    return commands.log_in(email="ada@example.com", password=password)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("wrong", NEW, "old_password"),
        (PASSWORD, "short", "new_password"),
        (PASSWORD, "ada@example.com", "new_password"),
        (PASSWORD, "", "new_password"),
        (PASSWORD, None, "new_password"),
    ],
)
def test_a_password_is_not_changed_without_the_old_one_nor_to_a_weak_one(
    ada: User, as_ada: Client, old: str, new: str | None, field: str
) -> None:
    answer = post(as_ada, f"{ada.pk}/change_password/", old_password=old, new_password=new)
    assert (answer.status_code, list(answer.json()["error"]["details"]["field_errors"])) == (400, [field])
    assert login(PASSWORD)


def test_not_even_staff_change_somebodys_password(ada: User, as_staff: Client, as_bob: Client) -> None:
    body = {"old_password": PASSWORD, "new_password": NEW}
    assert [post(who, f"{ada.pk}/change_password/", **body).status_code for who in (as_staff, as_bob)] == [404, 404]
    assert login(PASSWORD)


def test_an_address_is_verified_once_by_the_link_that_was_mailed(client: Client, ada: User) -> None:
    message = deliver()[0]
    assert (message.to, message.subject) == ([ada.email], "Verify your address")
    statuses = [post(client, "verify/", token=token_in(message)).status_code for _ in range(2)]
    assert statuses == [204, 400]
    assert User.objects.get().is_verified
    assert deliver() == [], "sent once"


def test_a_reset_link_works_once_and_ends_every_session(client: Client, ada: User, facts: Facts) -> None:
    login(PASSWORD)
    deliver()
    facts()
    assert post(client, "password_reset/", email="ADA@example.com").status_code == 202
    message = deliver()[0]
    assert message.to == ["ada@example.com"]
    body = {"token": token_in(message), "new_password": NEW}
    assert post(client, "password_reset/confirm/", **body | {"new_password": "short"}).status_code == 400
    statuses = [post(client, "password_reset/confirm/", **body).status_code for _ in range(2)]
    assert statuses == [204, 400]
    assert [name for name, _ in facts()] == ["access_revoked.v1"]
    assert not Session.objects.filter(ended_at=None).exists()
    assert login(NEW)


def test_asking_for_a_reset_tells_nobody_who_is_registered(
    client: Client, ada: User, django_assert_num_queries: Any
) -> None:
    deliver()
    answers = []
    for email in ("ada@example.com", "nobody@example.com", "no address"):
        with django_assert_num_queries(3):  # savepoint, insert, release: the same for each
            answers.append(post(client, "password_reset/", email=email))
    assert {(answer.status_code, answer.content) for answer in answers} == {(202, b"{}")}
    assert [message.to for message in deliver()] == [["ada@example.com"]]
    assert not LinkMail.objects.exists()


def test_who_is_kept_out_gets_no_link(client: Client, ada: User) -> None:
    token = commands.link_token(ada, purpose="reset")
    commands.deactivate_user(user_id=ada.pk)
    post(client, "password_reset/", email="ada@example.com")
    assert deliver() == []
    assert post(client, "password_reset/confirm/", token=token, new_password=NEW).status_code == 400


def test_each_link_does_what_it_is_for_and_no_more(client: Client, ada: User) -> None:
    verify, reset = (commands.link_token(ada, purpose=purpose) for purpose in ("verify", "reset"))
    assert post(client, "password_reset/confirm/", token=verify, new_password=NEW).status_code == 400
    assert post(client, "verify/", token=reset).status_code == 400
    assert post(client, "verify/", token=verify).status_code == 204
    assert post(client, "password_reset/confirm/", token=reset, new_password=NEW).status_code == 204


def test_links_expire(client: Client, ada: User, time: HeldClock) -> None:
    verify, reset = (commands.link_token(ada, purpose=purpose) for purpose in ("verify", "reset"))
    time.advance(24 * 3600 + 1)
    assert post(client, "verify/", token=verify).status_code == 400
    assert post(client, "password_reset/confirm/", token=reset, new_password=NEW).status_code == 400


def test_forged_links_are_refused(client: Client, join: Callable[..., User]) -> None:
    ada, bob = join("ada"), join("bob")
    good, other = (commands.link_token(user, purpose="verify") for user in (ada, bob))
    spliced = f"{other.rpartition(':')[0]}:{good.rpartition(':')[2]}"
    for token in ("", "x", "x:y", "ü:ü", good[:-1], spliced, good + "x", "." + good):
        assert post(client, "verify/", token=token).status_code == 400, token
    assert not User.objects.filter(is_verified=True).exists()


def test_a_mail_whose_sender_died_is_sent_again_under_the_same_id(time: HeldClock, ada: User) -> None:
    def die(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("DELETE"):
            raise KeyboardInterrupt
        return execute(sql, *rest)

    with connection.execute_wrapper(die), pytest.raises(KeyboardInterrupt):
        deliver()
    first = mail.outbox[0]
    assert deliver() == [], "nobody else sends it until the lease is over"
    time.advance(30)
    assert deliver()[0].extra_headers == first.extra_headers == {"Message-ID": first.extra_headers["Message-ID"]}
    assert not LinkMail.objects.exists()


def test_a_server_that_is_down_is_tried_again_ever_more_slowly_and_then_given_up(
    ada: User, settings: Any, time: HeldClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    settings.EMAIL_BACKEND = f"{BrokenBackend.__module__}.{BrokenBackend.__qualname__}"
    waits = []
    LinkMail.objects.update(next_at=time.now())
    for _ in range(20):
        deliver()
        pending = LinkMail.objects.first()
        if pending is None:
            break
        waits.append((pending.next_at - time.now()).total_seconds())
        time.advance(waits[-1])
    assert waits == [30, 60, 120, 240, 480, 960, 1920, 1920, 1920]
    assert caplog.messages.count("link_mail.send_failed") == 9
    assert caplog.messages.count("link_mail.given_up") == 1
    assert "ada@example.com" not in str([record.__dict__ for record in caplog.records])


def test_a_token_without_session_ends_them_all(ada: User) -> None:
    login(PASSWORD)
    client = Client(headers=user_headers(user_id=ada.pk))
    assert post(client, f"{ada.pk}/change_password/", old_password=PASSWORD, new_password=NEW).status_code == 204
    assert not Session.objects.filter(ended_at=None).exists()
