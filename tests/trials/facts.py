"""The one event of a trial. To be imported when Django is set up."""

from bandstand.events import Event

__all__ = ["FactNoted"]


class FactNoted(Event, name="shop.fact_noted.v1", subject="subject"):
    """A fact was noted."""

    subject: str
    number: int
