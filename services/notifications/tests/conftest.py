"""What every test of this service has: trusted tokens, a bus that delivers, a mailer, a held clock."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from django.core import mail
from django.db import connections

from bandstand.testing import events
from bandstand.testing.clock import HeldClock, held_clock
from notifications.consumers.mailer import send_due_mails

Deliver = Callable[..., UUID]
Send = Callable[[], list[mail.EmailMessage]]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Use a file: threads that share an in-memory database block each other in ways no service meets."""
    settings = connections["default"].settings_dict
    if settings["ENGINE"] == "bandstand.database.sqlite":
        settings["TEST"]["NAME"] = str(tmp_path_factory.mktemp("db") / "notifications.sqlite3")


@pytest.fixture(scope="session", autouse=True)
def _trust(trust_issuers: Callable[..., None]) -> None:
    trust_issuers("users", "orders")


@pytest.fixture
def time(db: None) -> Iterator[HeldClock]:
    """The clock, held."""
    with held_clock() as held:
        yield held


@pytest.fixture
def deliver(time: HeldClock) -> Deliver:
    """Hand an event to the service's inbox, as its consumer loop does: the inbox row and the effect in one commit."""

    def hand_over(kind: str, *, event_id: UUID | None = None, sequence: int = 1, **data: Any) -> UUID:
        time.advance(0.001)
        subject = data.get("order_id") or data["user_id"]
        return events.deliver(kind, data, subject=subject, sequence=sequence, event_id=event_id)

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
