"""What a person asks of choreographies and does to journeys: one set of functions for the command and the admin."""

from collections.abc import Iterable

from django.db import models, transaction

from bandstand import clock
from bandstand.config import section
from bandstand.errors import NotFound
from bandstand.events import actions
from bandstand.events.config import EventsConfig
from bandstand.events.models import EventAction
from bandstand.sagas.choreography.declaration import Choreography, choreographies
from bandstand.sagas.choreography.expectation import State
from bandstand.sagas.choreography.models import ChoreographyWatch

__all__ = ["OPEN", "declared", "dismiss", "find", "journeys"]

OPEN = (State.STALLED, State.DEVIATED, State.WATCHING)
_TROUBLED = (State.STALLED.value, State.DEVIATED.value)


def declared(name: str | None) -> list[type[Choreography]]:
    """The choreography called *name*, or all of them. Raises NotFound."""
    found = [each for each in choreographies if name in (None, each.name)]
    if name is not None and not found:
        known = ", ".join(each.name for each in choreographies) or "none"
        raise NotFound(f"there is no choreography {name!r}; there are: {known}")
    return found


def find(*, states: Iterable[State], name: str | None = None, limit: int = 100) -> list[ChoreographyWatch]:
    """Journeys in one of *states*, those that moved last first."""
    rows = _rows().filter(state__in=[state.value for state in states])
    if name is not None:
        rows = rows.filter(name=name)
    return list(rows.order_by("-moved_at", "-id")[:limit])


def journeys(key: str) -> list[ChoreographyWatch]:
    """What is known of *key*, in every choreography. Raises NotFound."""
    found = list(_rows().filter(key=key).order_by("name"))
    if not found:
        raise NotFound(f"there is no journey {key!r}")
    return found


def dismiss(name: str, key: str, *, by: str = "", note: str = "") -> None:
    """Count a journey that stalled or deviated as dealt with, audited; an event that still comes moves it again.

    Raises NotFound when there is none.
    """
    using = section(EventsConfig).database
    with transaction.atomic(using=using):
        row = _rows().select_for_update().filter(name=name, key=key, state__in=_TROUBLED).first()
        if row is None:
            raise NotFound(f"there is no journey {key!r} of {name} that has stalled or deviated")
        row.state, row.moved_at = State.DISMISSED.value, clock.database_now(using)
        row.save(update_fields=["state", "moved_at"])
        done = EventAction(action=EventAction.Kind.DISCARD, type=name, event_id=row.pk, before=row.note, after=key)
        actions.record([done], by=by, note=note)


def _rows() -> models.QuerySet[ChoreographyWatch]:
    return ChoreographyWatch.objects.using(section(EventsConfig).database).all()
