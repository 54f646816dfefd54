"""What every test of this service has: trusted tokens, a bus that delivers, a mailer, a held clock."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.core import mail

from bandstand.testing import events
from bandstand.testing.clock import HeldClock
from notifications.consumers.mailer import send_due_mails

Deliver = Callable[..., UUID]
Send = Callable[[], list[mail.EmailMessage]]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(database_in_a_file: None) -> None:
    """Threads of these tests share it."""


@pytest.fixture(scope="session", autouse=True)
def _trust(trust_issuers: Callable[..., None]) -> None:
    trust_issuers("users", "orders")


@pytest.fixture
def deliver(time: HeldClock) -> Deliver:
    """Hand an event to the service's inbox, as its consumer loop does: the inbox row and the effect in one commit."""

    def hand_over(kind: str, *, event_id: UUID | None = None, sequence: int = 1, **data: Any) -> UUID:
        time.advance(0.001)
        subject = data.get("order_id") or data["user_id"]
        return events.deliver(kind, data, subject=subject, sequence=sequence, event_id=event_id, group="notifications")

    return hand_over


@pytest.fixture
def send() -> Send:
    """Let the mailer send one batch; give what arrived."""

    def run() -> list[mail.EmailMessage]:
        mail.outbox = []
        for _ in send_due_mails():
            pass
        return mail.outbox

    return run
