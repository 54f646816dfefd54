"""Choreographies: journeys made of events only, declared to be drawn, watched, and missed when they stall."""

from bandstand.sagas.choreography import checks as _checks  # noqa: F401 - says so where the app is not installed
from bandstand.sagas.choreography.declaration import Choreography
from bandstand.sagas.choreography.expectation import State
from bandstand.sagas.choreography.language import all_of, either, maybe, then

__all__ = ["Choreography", "State", "all_of", "either", "maybe", "then"]
