"""Payments as a participant of sagas, over the real simulator: the suite that every participant passes."""

from typing import Any

import pytest
from tests.chaos.provider_client import Caller

from bandstand.sagas.participant import KeyState
from bandstand.testing.participants import LocalParticipant, Participant, ParticipantSuite
from bandstand.testing.tokens import service_headers

STATES = {"captured": KeyState.APPLIED, "cancelled": KeyState.CANCELLED, "refunded": KeyState.CANCELLED}
AMOUNT = 1999


def wanted(number: int) -> dict[str, Any]:
    order = {"order_id": "019b76da-a800-7000-8000-00000000abcd", "user_id": "019b76da-a800-7000-8000-0000000000aa"}
    return {**order, "amount": AMOUNT * number, "currency": "EUR", "payment_method": "tok_ok"}


@pytest.mark.django_db(transaction=True)
class TestPayments(ParticipantSuite):
    @pytest.fixture
    def participant(self, provider: Caller) -> Participant:
        def charges(key: str) -> int:
            """By the books of the provider, for it is money that counts."""
            shown = provider.show(key)
            taken: int = 0 if shown.status == 404 else shown.data["captured"] - shown.data["refunded"]
            return taken // AMOUNT

        return LocalParticipant(
            url="/internal/v1/payments/{key}/",
            headers=service_headers("orders"),
            body=wanted,
            count=charges,
            state_of=lambda body: STATES[body["state"]],
        )
