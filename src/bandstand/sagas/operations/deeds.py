"""What a person does to a saga: one signal each, which its next wave takes in and which stays as the record."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.db import transaction

from bandstand import clock
from bandstand.config import section
from bandstand.errors import Conflict, NotFound
from bandstand.sagas.config import SagasConfig
from bandstand.sagas.definition import Saga
from bandstand.sagas.models import SagaExecution, SagaSignal
from bandstand.sagas.operations.actions import Action, Deed, Told
from bandstand.sagas.operations.case import Case
from bandstand.sagas.operations.rules import Permitted, judge, to_approve
from bandstand.sagas.signals import SignalName, announce, signal
from bandstand.sagas.steps import Approval

__all__ = ["act", "confirm", "permission_for", "permission_to_confirm", "proposals", "request_cancel"]

_LAPSES = timedelta(days=1)
"""A proposal that nobody confirms for so long was about another state of the saga."""

_ACTIONS = {
    SignalName.RETRY: Action.RETRY,
    SignalName.SKIP: Action.SKIP,
    SignalName.COMPENSATE: Action.COMPENSATE,
    SignalName.CANCEL: Action.CANCEL,
    SignalName.RESOLVE: Action.RESOLVE,
    SignalName.ANNOTATE: Action.ANNOTATE,
    SignalName.APPROVED: Action.APPROVE,
    SignalName.REJECTED: Action.REJECT,
}
_OUTCOMES = {"refused": "did-not-happen"}


def request_cancel(saga: type[Saga] | str, business_key: Any) -> bool:
    """Wish a saga undone, in the open transaction if there is one; False when it is absent or has ended.

    The saga turns back as soon as it can and ends `cancelled` once everything is undone, unless it has passed its
    pivot: then it goes on and completes. Wishing twice is wishing once.
    """
    return signal(saga if isinstance(saga, str) else saga.name, business_key, SignalName.CANCEL)


def act(saga_id: UUID, deed: Deed) -> Told:
    """Do *deed*, in the open transaction if there is one; where two persons are needed it is only proposed.

    Raises NotFound, ValidationFailed for what is missing, Conflict for what cannot be done where the saga stands.
    Permissions are the caller's business: see `permission_for`, and `approve` and `reject`, which ask for them.
    """
    now = clock.database_now()
    with transaction.atomic(savepoint=False):
        case = Case(_row(saga_id), now)
        permitted = judge(case, deed)
        is_proposed = _needs_two(case, deed.action)
        made = SagaSignal.objects.create(
            saga_id=saga_id,
            name=permitted.name.value,
            step=permitted.step,
            payload=permitted.payload.decode(),
            said_by=deed.by.strip(),
            note=deed.note.strip(),
            at=now,
            taken_at=now if deed.action is Action.ANNOTATE else None,  # nothing is to be done about it
            proposed=is_proposed,
        )
        if not is_proposed and made.taken_at is None:
            announce(saga_id, now)
    says = f"proposed: {permitted.says}. Another person confirms it" if is_proposed else permitted.says
    return Told(saga_id=saga_id, signal_id=made.pk, says=says, is_proposed=is_proposed)


def confirm(saga_id: UUID, *, by: str, proposal: int | None = None) -> Told:
    """Second what another person has proposed: the only proposal there is, unless it is named.

    Raises NotFound when there is none, Conflict when it was *by* the same person or cannot be done any more.
    """
    now = clock.database_now()
    with transaction.atomic(savepoint=False):
        found = _proposal(saga_id, proposal, now)
        if found.said_by.casefold() == by.strip().casefold():
            raise Conflict(f"{found.said_by} has proposed it: it takes another person to confirm")
        permitted = _judged_again(found, now)
        changed = SagaSignal.objects.filter(pk=found.pk, proposed=True)
        if not changed.update(proposed=False, seconded_by=by.strip(), seconded_at=now):
            raise Conflict("somebody else has confirmed it just now")
        announce(saga_id, now)
    return Told(saga_id=saga_id, signal_id=found.pk, says=permitted.says)


def proposals(saga_id: UUID, now: datetime | None = None) -> list[SagaSignal]:
    """What is proposed for a saga and not confirmed yet, oldest first."""
    since = (now or clock.database_now()) - _LAPSES
    return list(SagaSignal.objects.filter(saga_id=saga_id, proposed=True, at__gt=since).order_by("id"))


def permission_for(row: SagaExecution, action: Action, step: str = "") -> str:
    """The permission that a person needs: an approval may name its own."""
    if action in (Action.APPROVE, Action.REJECT):
        case = Case(row, clock.database_now())
        units = [step] if step else to_approve(case)
        named = [leaf for unit in units if isinstance(leaf := case.leaf(unit), Approval)]
        return next((leaf.permission for leaf in named if leaf.permission), "bandstand_sagas.approve_saga")
    return f"bandstand_sagas.{action}_saga"


def permission_to_confirm(row: SagaExecution, proposal: SagaSignal) -> str:
    """The permission that the second person needs: that of the first."""
    return permission_for(row, _ACTIONS[SignalName(proposal.name)], proposal.step)


def _row(saga_id: UUID) -> SagaExecution:
    row = SagaExecution.objects.filter(pk=saga_id).first()
    if row is None:
        raise NotFound(f"there is no saga {saga_id}")
    return row


def _needs_two(case: Case, action: Action) -> bool:
    named = section(SagasConfig).four_eyes
    return action.value in named or (case.is_undoing and f"{action}_undo" in named)


def _proposal(saga_id: UUID, chosen: int | None, now: datetime) -> SagaSignal:
    waiting = [one for one in proposals(saga_id, now) if chosen is None or one.pk == chosen]
    if not waiting:
        raise NotFound("there is no such proposal; one that is a day old has lapsed: propose it again")
    if len(waiting) > 1:
        offered = ", ".join(f"{one.pk} ({one} by {one.said_by})" for one in waiting)
        raise Conflict(f"say which with --proposal: {offered}")
    return waiting[0]


def _judged_again(found: SagaSignal, now: datetime) -> Permitted:
    """The saga may stand elsewhere by now."""
    said = msgspec.json.decode(found.payload) if found.payload else {}
    back = said.get("direction") == "undo"
    outcome = "undone" if back else _OUTCOMES.get(said.get("outcome", ""), "happened")
    deed = Deed(
        action=_ACTIONS[SignalName(found.name)],
        by=found.said_by,
        note=found.note,
        step=found.step,
        outcome=outcome,
        force=bool(said.get("force")),
    )
    case = Case(_row(found.saga_id), now)
    if "direction" in said and said["direction"] != case.state.direction.value:
        raise Conflict("the saga has turned back since it was proposed: propose it again")
    return judge(case, deed)
