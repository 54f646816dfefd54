"""A participant for these tests: seats taken and given back, in a table that keeps no second line out."""

from typing import Any
from uuid import UUID

from bandstand.sagas.participant import Created, KeyState, Known, cancel, create, query
from bandstand.sagas.participant.routes import keyed_route
from bandstand.testing.participants import Participant
from bandstand.web.internal import Body
from bandstand.web.routers import routes
from tests.project.models import Booking

__all__ = ["PATH", "Bookings", "book", "cancel_booking", "seats", "urlpatterns"]

PATH = "/internal/v1/bookings/{key}/"


class Book(Body, frozen=True):
    """So many seats."""

    seats: int
    order_id: UUID | None = None


def take(key: str, number: int) -> dict[str, Any]:
    """Take the seats; the answer names what no repeat could make again."""
    return {"booking": Booking.objects.create(key=key, seats=number).pk, "seats": number}


def give_back(key: str, answer: Any) -> None:
    Booking.objects.create(key=key, seats=-answer["seats"])


def seats(key: str) -> int:
    """The seats that stand under a key."""
    return sum(Booking.objects.filter(key=key).values_list("seats", flat=True))


def book(key: str, number: int = 1) -> Created:
    return create("booking", key, request={"seats": number}, do=lambda: take(key, number))


def cancel_booking(key: str) -> Known:
    return cancel("booking", key, undo=lambda answer: give_back(key, answer))


class Bookings(Participant):
    """The functions, for the suite."""

    def create(self, key: str, request: int) -> Any:
        return book(key, request).answer

    def cancel(self, key: str) -> Any:
        return cancel_booking(key)

    def query(self, key: str) -> KeyState:
        return query("booking", key).state

    def effects(self, key: str) -> int:
        return seats(key)


booking = keyed_route(
    "booking", into=Book, do=lambda key, wanted: take(key, wanted.seats), undo=give_back, callers={"orders"}
)
urlpatterns = [*routes("internal/v1/bookings/<str:key>/", booking)]
