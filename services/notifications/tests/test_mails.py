"""Which event calls for which mail, once, to whom; and how it is sent at least once under one id."""

import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from bandstand.events.models import InboxRow
from bandstand.lifecycle import registered_loops
from bandstand.replicas import fill
from bandstand.testing.clock import HeldClock
from notifications import commands
from notifications.consumers.facts import Total
from notifications.consumers.mailer import MailerLoop, mail_written, send_due_mails
from notifications.models import Mail, Recipient

pytestmark = pytest.mark.django_db
Deliver = Callable[..., UUID]
Send = Callable[[], list[mail.EmailMessage]]
ADA = UUID("019b76da-a800-7000-8000-00000000000a")


class BrokenBackend(EmailBackend):
    """A mail server that is down."""

    attempts = 0

    def open(self) -> bool:
        """Refuse."""
        type(self).attempts += 1
        raise ConnectionRefusedError("no server at ada@example.com")


@pytest.fixture
def joined(deliver: Deliver) -> UUID:
    """The event of somebody who joined."""
    return deliver("users.user_registered.v1", user_id=ADA, email="ada@example.com", username="ada")


def confirmed(deliver: Deliver, **changes: Any) -> UUID:
    facts = {"order_id": uuid4(), "user_id": ADA, "total": {"amount": 1999, "currency": "EUR"}, "lines": []}
    return deliver("orders.order_confirmed.v1", **facts | changes)


def test_who_joins_is_welcomed(joined: UUID, send: Send) -> None:
    message = send()[0]
    assert (message.to, message.subject) == (["ada@example.com"], "Welcome to the shop")
    assert "Hello ada" in str(message.body)
    assert message.extra_headers["Message-ID"] == f"<{joined}@notifications.bandstand>"
    assert send() == [], "once"


def test_orders_are_confirmed_or_their_rejection_is_explained(deliver: Deliver, joined: UUID, send: Send) -> None:
    order_id = uuid4()
    confirmed(deliver, order_id=order_id)
    deliver("orders.order_rejected.v1", order_id=uuid4(), user_id=ADA, reason="payment_declined")
    deliver("orders.order_rejected.v1", order_id=uuid4(), user_id=ADA, reason="a_reason_of_tomorrow")
    texts = [str(message.body) for message in send()[1:]]
    assert str(order_id) in texts[0]
    assert "19.99 EUR" in texts[0]
    assert "your payment was declined" in texts[1]
    assert "it could not be processed" in texts[2]
    kinds = Mail.objects.order_by("pk").values_list("kind", flat=True)
    assert list(kinds) == ["welcome", "order_confirmed", "order_rejected", "order_rejected"]


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [(1999, "EUR", "19.99 EUR"), (5, "USD", "0.05 USD"), (1999, "JPY", "1999 JPY"), (1999, "KWD", "1.999 KWD")],
)
def test_money_is_written_with_the_digits_its_currency_has(amount: int, currency: str, written: str) -> None:
    assert str(Total(amount=amount, currency=currency)) == written


def test_an_event_that_comes_twice_is_one_mail(deliver: Deliver, joined: UUID, send: Send) -> None:
    event_id, order_id = uuid4(), uuid4()
    for _ in range(3):
        confirmed(deliver, event_id=event_id, order_id=order_id)
        deliver("users.user_registered.v1", event_id=joined, user_id=ADA, email="ada@example.com", username="ada")
    assert [message.subject for message in send()] == ["Welcome to the shop", "Your order is confirmed"]
    InboxRow.objects.all().delete()  # even when the inbox has forgotten
    confirmed(deliver, event_id=event_id, order_id=order_id)
    assert send() == []


def test_the_mail_and_the_inbox_row_are_one_transaction(deliver: Deliver) -> None:
    def fail(execute: Any, sql: str, *rest: Any) -> Any:
        if "notifications_mail" in sql:
            raise OperationalError("disk full")
        return execute(sql, *rest)

    with connection.execute_wrapper(fail), pytest.raises(AssertionError, match="not applied"):
        confirmed(deliver)
    assert not InboxRow.objects.filter(applied_at__isnull=False).exists()
    assert not Mail.objects.exists()


def test_an_older_event_never_overwrites_a_newer_address(deliver: Deliver, send: Send) -> None:
    deliver("users.user_updated.v1", sequence=7, user_id=ADA, email="new@example.com", username="countess")
    deliver("users.user_registered.v1", sequence=3, user_id=ADA, email="old@example.com", username="ada")
    deliver("users.user_updated.v1", sequence=5, user_id=ADA, email="older@example.com", username="ada")
    assert Recipient.objects.get().email == "new@example.com"
    assert [message.to for message in send()] == [["new@example.com"]]


def test_a_mail_waits_for_an_address_without_being_tried(deliver: Deliver, send: Send, time: HeldClock) -> None:
    """The order's event overtook the user's: they come on different streams."""
    confirmed(deliver)
    assert send() == []
    time.advance(3600)
    assert send() == []
    assert Mail.objects.get().attempts == 0
    deliver("users.user_registered.v1", user_id=ADA, email="ada@example.com", username="ada")
    assert {message.subject for message in send()} == {"Your order is confirmed", "Welcome to the shop"}


def test_a_sender_that_dies_between_sending_and_noting_it_sends_again_under_the_same_id(
    joined: UUID, time: HeldClock, send: Send
) -> None:
    def die(execute: Any, sql: str, *rest: Any) -> Any:
        if "sent_at" in sql and sql.startswith("UPDATE"):
            raise KeyboardInterrupt
        return execute(sql, *rest)

    with connection.execute_wrapper(die), pytest.raises(KeyboardInterrupt):
        send()
    first = mail.outbox[0]
    assert send() == [], "the dead sender's lease"
    time.advance(60)
    assert [message.extra_headers for message in send()] == [first.extra_headers]
    time.advance(3600)
    assert send() == []


def test_a_server_that_is_down_is_tried_again_ever_more_slowly(
    joined: UUID, time: HeldClock, send: Send, settings: Any
) -> None:
    settings.EMAIL_BACKEND = f"{BrokenBackend.__module__}.{BrokenBackend.__qualname__}"
    waits = []
    for _ in range(12):
        send()
        waits.append((Mail.objects.get().next_at - time.now()).total_seconds())
        time.advance(waits[-1])
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600]
    assert Mail.objects.get().error == "ConnectionRefusedError: no server at ada@example.com"
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert len(send()) == 1
    assert (Mail.objects.get().error, Mail.objects.get().attempts) == ("", 13)


def test_one_address_that_no_header_can_hold_does_not_hold_up_the_others(
    deliver: Deliver, joined: UUID, send: Send
) -> None:
    bad = uuid4()
    fill([Recipient(user_id=bad, email="x@example.com\nBcc: all@example.com", username="x")])
    for user_id in (bad, ADA):
        confirmed(deliver, user_id=user_id)
    assert [message.to for message in send()] == [["ada@example.com"]] * 2
    assert Mail.objects.get(sent_at=None).user_id == bad


def test_a_slow_server_does_not_outlast_the_lease(deliver: Deliver, joined: UUID, time: HeldClock) -> None:
    for _ in range(4):
        confirmed(deliver)
    mail.outbox = []
    for _ in send_due_mails():
        time.advance(20)  # each mail takes that long
    assert len(mail.outbox) == 2, "the rest is left to whoever holds the next lease"
    time.advance(60)
    assert len(list(send_due_mails())) == 3


def test_an_idle_look_takes_no_lock() -> None:
    with CaptureQueriesContext(connection) as captured:
        assert commands.claim_mails(limit=10, lease=MailerLoop.stall_after) == []
    statements = [query["sql"] for query in captured.captured_queries]
    assert statements
    assert all(sql.startswith("SELECT") and "FOR UPDATE" not in sql for sql in statements), statements


def test_applying_an_event_costs_few_statements(deliver: Deliver, joined: UUID, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(6):  # the transaction, the inbox row, a replay, what waits, the mail
        confirmed(deliver)


def test_the_loop_ends_at_once_when_it_is_woken() -> None:
    stop = threading.Event()
    loop = registered_loops()["mailer"]()
    stop.set()
    mail_written.clear()
    loop.wake()
    assert mail_written.is_set()
    loop.run(stop)
