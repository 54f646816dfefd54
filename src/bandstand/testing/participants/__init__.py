"""Participants of sagas under test: the suite that any of them passes, adapters, and a fake for callers.

@pytest.mark.django_db(transaction=True)
class TestBookings(ParticipantSuite):
    @pytest.fixture
    def participant(self) -> Participant:
        return LocalParticipant(url="/internal/v1/bookings/{key}/", headers=service_headers("tours"), ...)
"""

from bandstand.testing.participants.adapters import HttpParticipant, LocalParticipant, Participant
from bandstand.testing.participants.fake import FakeParticipant, Fault
from bandstand.testing.participants.suite import ParticipantSuite

__all__ = ["FakeParticipant", "Fault", "HttpParticipant", "LocalParticipant", "Participant", "ParticipantSuite"]
