"""Who reads mails: their recipient through the API, an operator through the mailbox."""

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from bandstand.auth import revocation
from bandstand.replicas import fill
from bandstand.testing.tokens import service_headers, user_headers
from notifications import commands
from notifications.models import Mail, Recipient

pytestmark = pytest.mark.django_db
Deliver = Callable[..., UUID]
PATH = "/api/v1/notifications/"


def written(user_id: UUID, *, count: int = 1) -> list[Mail]:
    for number in range(count):
        commands.write_mail(
            event_id=uuid4(), user_id=user_id, kind="welcome", subject=f"Mail {number}", text="secret text"
        )
    return list(Mail.objects.filter(user_id=user_id))


def test_everybody_sees_their_own_newest_first() -> None:
    ada, bob = uuid4(), uuid4()
    mails = written(ada, count=3)
    written(bob)
    shown = Client(headers=user_headers(user_id=ada)).get(PATH).json()
    assert [each["id"] for each in shown["results"]] == [str(each.pk) for each in mails]
    assert set(shown["results"][0]) == {"id", "kind", "subject", "created_at", "event_id"}
    assert shown["pagination"]["total_items"] == 3


def test_staff_see_their_own_as_well_and_nobody_can_ask_for_anothers() -> None:
    ada = uuid4()
    written(ada)
    staff = Client(headers=user_headers(user_id=uuid4(), roles=["staff"]))
    assert staff.get(PATH).json()["results"] == []
    assert staff.get(f"{PATH}?user_id={ada}").status_code == 400
    assert staff.get(PATH, headers={"X-User-ID": str(ada)}).json()["results"] == []


def test_it_takes_a_users_token(client: Client) -> None:
    statuses = [each.get(PATH).status_code for each in (client, Client(headers=service_headers("orders")))]
    assert statuses == [401, 401]
    user = Client(headers=user_headers(user_id=uuid4()))
    assert [user.post(PATH).status_code, user.delete(PATH).status_code] == [405, 405]
    assert user.get(f"{PATH}{uuid4()}/").status_code == 404


def test_pages_are_bounded_and_cost_two_statements(django_assert_num_queries: Any) -> None:
    ada = uuid4()
    written(ada, count=30)
    client = Client(headers=user_headers(user_id=ada))
    revocation.refresh()
    with django_assert_num_queries(2):
        page = client.get(f"{PATH}?page=2&page_size=20").json()
    assert len(page["results"]) == 10
    assert client.get(f"{PATH}?page_size=101").status_code == 400


def mailbox(*words: str) -> str:
    out = StringIO()
    call_command("mailbox", *words, stdout=out)
    return out.getvalue()


def test_the_mailbox_lists_and_shows() -> None:
    ada = uuid4()
    fill([Recipient(user_id=ada, email="ada@example.com", username="ada")])
    first, second = reversed(written(ada, count=2))
    commands.record_sent(mail_id=first.pk)
    lines = mailbox().splitlines()
    assert [line.split()[0] for line in lines] == [str(second.pk), str(first.pk)]
    assert "ada@example.com  Mail 1  [not sent yet]" in lines[0]
    assert "[sent 20" in lines[1]
    assert "secret text" not in mailbox()
    assert "secret text" in mailbox(str(first.pk))


def test_the_mailbox_speaks_json() -> None:
    ada = uuid4()
    written(ada, count=3)
    shown = json.loads(mailbox("--json", "--limit", "2"))
    assert [(each["subject"], each["to"], each["sent_at"]) for each in shown] == [
        ("Mail 2", "", None),
        ("Mail 1", "", None),
    ]
    assert json.loads(mailbox("--json", shown[0]["id"]))[0]["text"] == "secret text"


def test_the_mailbox_says_why_a_mail_waits() -> None:
    mail = written(uuid4())[0]
    assert "(unknown)  Mail 0  [not sent yet no address is known yet]" in mailbox()
    fill([Recipient(user_id=mail.user_id, email="ada@example.com", username="ada")])
    claimed = commands.claim_mails(limit=1, lease=timedelta(seconds=1))[0]
    commands.record_unsent(mail=claimed, error="ConnectionRefusedError: no server")
    assert "[not sent yet ConnectionRefusedError: no server]" in mailbox()


@pytest.mark.parametrize("mail_id", ["x", str(uuid4())])
def test_the_mailbox_has_no_such_mail(mail_id: str) -> None:
    with pytest.raises(CommandError, match="no mail"):
        mailbox(mail_id)
