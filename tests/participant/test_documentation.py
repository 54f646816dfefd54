"""The example of docs/reference/participants.md, module by module as it stands there."""

from types import ModuleType
from typing import Any

import pytest

from bandstand.testing.participants import ParticipantSuite
from tests.pages import run
from tests.project.models import Booking

MODELS = ModuleType("halls.models")  # only the table is not on the page
MODELS.Booking = Booking  # type: ignore[attr-defined]
HALLS = run("reference/participants.md", given=[MODELS])


@pytest.fixture(autouse=True)
def _served(settings: Any) -> None:
    settings.ROOT_URLCONF = HALLS["halls.urls"]


# Collected here: the suite, as the page derives it.
TestBooking = HALLS["halls.tests.test_booking"].TestBooking
test_a_lost_reply_is_asked_for_again = HALLS["tours.tests.test_tour"].test_a_lost_reply_is_asked_for_again


def test_the_page_derives_the_suite() -> None:
    assert issubclass(TestBooking, ParticipantSuite)


@pytest.mark.django_db
def test_the_functions_behind_the_routes(key: str) -> None:
    consumers: Any = HALLS["halls.consumers"]
    wanted = HALLS["halls.api"].Book(seats=2)
    assert consumers.on_wanted(key, wanted) == consumers.on_wanted(key, wanted)
    assert consumers.is_booked(key)
    assert [consumers.on_unwanted(key) for _ in range(2)] == [True, False]
    assert not consumers.is_booked(key)
    assert not Booking.objects.filter(key=key).exists()
