"""Pausing consumers by hand, for as long as it takes: a row that every batch reads in its own transaction.

A paused group is not read, so its events stay on the bus. A paused consumer shares its group with others, so what comes
for it waits in the inbox's database, in order and with no attempt counted, and is applied once it is resumed.
"""

from django.db import transaction

from bandstand import clock
from bandstand.config import identity, section
from bandstand.errors import Conflict, NotFound
from bandstand.events import actions, registry
from bandstand.events._sql import Sql
from bandstand.events.config import EventsConfig
from bandstand.events.groups import groups
from bandstand.events.models import EventAction, Pause, Replay

__all__ = ["end_batches", "pause", "paused", "resume", "standing_by"]


def pause(name: str, *, by: str = "", note: str = "") -> bool:
    """Pause a consumer, or all of a group; False when it was paused already. It is audited.

    On return nothing of it is under way any more. Raises NotFound, and Conflict while a replay holds the group.
    """
    using = section(EventsConfig).database
    chosen = _known(name)
    with transaction.atomic(using=using):
        end_batches(using)
        if Replay.objects.using(using).filter(reader=chosen).exists():
            raise Conflict("a replay is under way; finish it or give it up first", conflict="replay_under_way")
        _, is_new = Pause.objects.using(using).get_or_create(
            name=chosen, defaults={"paused_at": clock.database_now(using)}
        )
        if is_new:
            actions.record([EventAction(action=EventAction.Kind.PAUSE, consumer=chosen)], by=by, note=note)
    return is_new


def resume(name: str, *, by: str = "", note: str = "") -> bool:
    """Let a consumer or group go on where it was; False when it was not paused. It is audited. Raises NotFound."""
    using = section(EventsConfig).database
    chosen = name if name in paused() else _known(name)  # its code may be gone
    with transaction.atomic(using=using):
        ended, _ = Pause.objects.using(using).filter(name=chosen).delete()
        if ended:
            actions.record([EventAction(action=EventAction.Kind.RESUME, consumer=chosen)], by=by, note=note)
    return bool(ended)


def paused() -> frozenset[str]:
    """The ids of paused consumers and the names of paused groups."""
    return frozenset(Pause.objects.using(section(EventsConfig).database).values_list("name", flat=True))


def standing_by(sql: Sql) -> frozenset[str]:
    """What is to apply nothing now: what is paused, and the groups whose reader a replay holds."""
    found = sql.rows("SELECT name FROM bandstand_events_pause UNION ALL SELECT reader FROM bandstand_events_replay")
    return frozenset(name for (name,) in found)


def end_batches(using: str) -> None:
    """Wait until no batch is under way; those that follow see what this transaction writes.

    On SQLite the transaction itself keeps all others out.
    """
    sql = Sql(using)
    if sql.is_postgresql:
        # Every batch asks `standing_by` before anything else, and so holds a lock on both tables until it ends.
        sql.change("LOCK TABLE bandstand_events_pause, bandstand_events_replay IN ACCESS EXCLUSIVE MODE")


def _known(name: str) -> str:
    own, sets = identity().name, [each.name for each in groups()]
    known = {name: each.id for each in registry.consumers() for name in (each.name, each.id)}
    known |= {name: each for each in sets for name in (each, each.removeprefix(f"{own}."))}
    if name not in known:
        there = ", ".join([*sets, *(each.id for each in registry.consumers())])
        raise NotFound(f"there is no consumer or group {name!r}; there are: {there}", consumer=name)
    return known[name]
