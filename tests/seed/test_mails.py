"""The articles' welcome mail, checklist 100 and 139: sent twice, or never, and ours once for each event."""

from pathlib import Path

import pytest
from tests.seed.in_service import in_service


class Post:
    """A mail server that may be down."""

    def __init__(self, *, up: bool = True) -> None:
        self.up, self.sent = up, list[str]()

    def send(self, to: str, *, fail_silently: bool = False) -> None:
        if self.up:
            self.sent.append(to)
        elif not fail_silently:
            raise ConnectionRefusedError


def naive_handle_user_created(post: Post, event: dict[str, str], acknowledged: list[str]) -> None:
    """Make the profile, send the mail, then acknowledge: the process may die before the last line."""
    post.send(event["email"])
    if event.get("dies"):
        raise SystemExit
    acknowledged.append(event["id"])


def test_139_the_naive_handler_sends_again_what_it_had_no_time_to_acknowledge() -> None:
    post, acknowledged = Post(), list[str]()
    with pytest.raises(SystemExit):
        naive_handle_user_created(post, {"id": "1", "email": "ada@example.com", "dies": "yes"}, acknowledged)
    naive_handle_user_created(post, {"id": "1", "email": "ada@example.com"}, acknowledged)
    assert post.sent == ["ada@example.com"] * 2, "and nothing tells the reader that they are one"


def test_139_the_naive_task_loses_the_mail_while_the_server_is_down() -> None:
    post = Post(up=False)
    post.send("ada@example.com", fail_silently=True)
    post.up = True
    assert post.sent == []


# `deliver` does what the consumer loop does with one message from the bus.
_BUS = """
from uuid import UUID, uuid4
from django.core import mail
from django.test.utils import override_settings
from bandstand import clock
from bandstand.config import section
from bandstand.events import Envelope, registry
from bandstand.events.backends import Delivery, Message
from bandstand.events.config import EventsConfig
from bandstand.events.inbox import Inbox
from bandstand.testing.clock import held_clock
from notifications.consumers.mailer import send_due_mails
override_settings(EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend").enable()
mail.outbox = []
inbox = Inbox(registry.consumers(), section(EventsConfig), group="notifications")
event_id, user_id = uuid4(), uuid4()
def deliver():
    data = json.dumps({"user_id": str(user_id), "email": "ada@example.com", "username": "ada"}).encode()
    kind, subject = "users.user_registered.v1", str(user_id)
    about = {"id": event_id, "type": kind, "source": "users", "subject": subject, "time": clock.now()}
    envelope = Envelope(**about, data=data, sequence=1)
    message = Message(event_id=str(event_id), type=kind, subject=subject, body=envelope.encoded().decode())
    inbox.apply([Delivery(position=1, message=message)])
"""


def test_139_ours_writes_one_mail_however_often_the_event_comes(tmp_path: Path) -> None:
    program = """
for _ in range(3):
    deliver()
    list(send_due_mails())
print(json.dumps([[message.to for message in mail.outbox]]))
"""
    assert in_service("notifications", _BUS + program, data=tmp_path) == [[["ada@example.com"]]]


def test_139_ours_sends_when_the_server_is_back_and_under_one_id(tmp_path: Path) -> None:
    program = """
from notifications.models import Mail
with held_clock() as time:
    deliver()
    smtp = "django.core.mail.backends.smtp.EmailBackend"
    with override_settings(EMAIL_BACKEND=smtp, EMAIL_HOST="127.0.0.1", EMAIL_PORT=1):
        list(send_due_mails())
    refused = [len(mail.outbox), Mail.objects.get().error.partition(":")[0]]
    time.advance(2)
    list(send_due_mails())
    Mail.objects.update(sent_at=None)  # as if the sender had died before it noted this
    time.advance(600)
    list(send_due_mails())
print(json.dumps([refused, len(mail.outbox), len({message.extra_headers["Message-ID"] for message in mail.outbox})]))
"""
    assert in_service("notifications", _BUS + program, data=tmp_path) == [[0, "ConnectionRefusedError"], 2, 1]
