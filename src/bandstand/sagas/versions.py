"""Sagas that began under another release: each goes on as it began, is upgraded, or is parked for those who know it."""

from datetime import timedelta
from uuid import UUID

from django.db.models import Q
from msgspec.structs import replace

from bandstand import clock
from bandstand.sagas.contexts import ContextUnreadable
from bandstand.sagas.definition import Saga
from bandstand.sagas.encoding import decode, encode
from bandstand.sagas.models import SagaExecution, SagaSignal
from bandstand.sagas.plan import base_of, item_of, unit_of
from bandstand.sagas.protocol import SagaStatus, State
from bandstand.sagas.registry import sagas
from bandstand.sagas.reports import report_parked
from bandstand.sagas.runs import Run, read_state, run_of, write_state
from bandstand.sagas.signals import SignalName

__all__ = ["known", "park_orphans", "taken_up"]

_GRACE = timedelta(seconds=60)
"""So long may a saga be overdue before a worker that does not know it says so: others may know it."""
_AGAIN = timedelta(seconds=60)


def known() -> Q:
    """The rows that this process can go on with; one condition for all sagas of the same versions."""
    alike: dict[frozenset[int], list[str]] = {}
    for name, versions in sagas.versions().items():
        alike.setdefault(frozenset(versions), []).append(name)
    wanted = Q(pk__in=[])
    for shared, names in alike.items():
        wanted |= Q(type__in=names, version__in=shared)
    return wanted


def taken_up(row: SagaExecution, owner: UUID) -> Run | None:
    """Take a claimed row into memory; None when it cannot be read, and then it is parked and left to others."""
    saga = sagas.get(row.type, row.version)
    try:
        if saga is None:
            saga = _upgrade(row, owner)
        decode(encode(row.context_data), saga.context)
    except (ContextUnreadable, LookupError, TypeError, ValueError) as error:
        _park(row, owner, f"this release cannot go on with it: {error}")
        return None
    return run_of(row, saga)


def park_orphans() -> int:
    """Show the sagas that nobody has taken up for a while and that this release does not know; returns how many.

    Neither epoch nor lease changes: whoever knows them takes them up as ever.
    """
    overdue = SagaExecution.objects.filter(lease_until__lt=clock.database_now() - _GRACE)
    orphans = overdue.exclude(known()).exclude(status=SagaStatus.PARKED)
    found = list(orphans.values_list("pk", "type", "version")[:100])
    for saga_id, name, version in found:
        error = f"no worker knows version {version} of the saga {name!r}: deploy a release that does, or an upgrade"
        orphans.filter(pk=saga_id).update(status=SagaStatus.PARKED, error=error)
        report_parked({"saga": name, "saga_id": str(saga_id), "error": error})
    return len(found)


def _park(row: SagaExecution, owner: UUID, error: str) -> None:
    again = clock.database_now() + _AGAIN
    ours = SagaExecution.objects.filter(pk=row.pk, owner=owner, epoch=row.epoch)
    is_written = ours.update(status=SagaStatus.PARKED, error=error, owner=None, lease_until=again)
    if is_written and row.status != SagaStatus.PARKED:
        report_parked({"saga": row.type, "saga_id": str(row.pk), "error": error})


def _upgrade(row: SagaExecution, owner: UUID) -> Saga:
    """Bring a row to the newest version, durably, before anything is done with it. Raises LookupError."""
    newest = sagas.get(row.type)
    if newest is None:
        raise LookupError(f"there is no saga {row.type!r}")
    context = row.context_data
    for version in range(row.version, newest.version):
        upgrade = newest.upgrades.get(version)
        if upgrade is None:
            raise LookupError(f"there is no upgrade from version {version}")
        context = dict(upgrade(context))
    before, row.version, row.context_data = row.version, newest.version, context
    row.state = write_state(_renamed(read_state(row.state), newest))
    changes = {"version": row.version, "context_data": context, "state": row.state}
    ours = SagaExecution.objects.filter(pk=row.pk, owner=owner, epoch=row.epoch)
    if ours.update(**changes):
        for old, new in newest.renamed.items():  # what was kept for a step that has not begun
            SagaSignal.objects.filter(saga_id=row.pk, taken_at=None, step=old).update(step=new)
        _note(row, f"upgraded from version {before} to {row.version}")
    return newest


def _note(row: SagaExecution, note: str) -> None:
    now = clock.database_now()
    SagaSignal.objects.create(
        saga_id=row.pk, name=SignalName.ANNOTATE, note=note, said_by="bandstand", at=now, taken_at=now
    )


def _renamed(state: State, saga: Saga) -> State:
    def unit(name: str) -> str:
        return unit_of(saga.renamed.get(base_of(name), base_of(name)), item_of(name))

    begun = (*(one.unit for one in state.at), *state.done)
    return replace(
        state,
        at=tuple(replace(one, unit=unit(one.unit)) for one in state.at),
        keyed_as={unit(name): state.begun_as(name) for name in begun if unit(name) != state.begun_as(name)},
        done=tuple(unit(name) for name in state.done),
        buried=tuple(unit(name) for name in state.buried),
        items={unit(name): keys for name, keys in state.items.items()},
    )
