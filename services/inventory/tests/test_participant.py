"""Reservations as a participant of sagas: the suite that every participant passes."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db.models import Sum

from bandstand.sagas.participant import KeyState
from bandstand.testing.participants import LocalParticipant, Participant, ParticipantSuite
from bandstand.testing.tokens import service_headers
from inventory.models import Movement

STATES = {
    "held": KeyState.APPLIED,
    "committed": KeyState.APPLIED,
    "released": KeyState.CANCELLED,
    "tombstoned": KeyState.CANCELLED,
}


class Reservations(LocalParticipant):
    """The API; of its answers, what a repeat does not renew."""

    def create(self, key: str, request: int) -> Any:
        answer = super().create(key, request)
        del answer["expires_at"]
        return answer


def units_held(key: str) -> int:
    return Movement.objects.filter(reservation_key=key).aggregate(units=Sum("held", default=0))["units"]


@pytest.mark.django_db(transaction=True)
class TestReservations(ParticipantSuite):
    @pytest.fixture
    def participant(self, new_stock: Callable[[int], UUID]) -> Participant:
        product = new_stock(1_000)

        def wanted(number: int) -> dict[str, Any]:
            lines = [{"product_id": str(product), "quantity": number}]
            return {"order_id": "019b76da-a800-7000-8000-00000000abcd", "lines": lines, "ttl_seconds": 60}

        return Reservations(
            url="/internal/v1/reservations/{key}/",
            headers=service_headers("orders"),
            body=wanted,
            count=units_held,
            state_of=lambda body: STATES[body["state"]],
        )
