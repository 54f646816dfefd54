"""Create, cancel and query by key, each one transaction: of the key with the effect.

Every write begins with the same insert, and the primary key decides who was first: a create that finds a tombstone is
refused, a cancel that finds an effect undoes it, whoever finds the insert of another under way waits for its end.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Any

import msgspec
from django.db import transaction

from bandstand import clock
from bandstand.config import section
from bandstand.database.statements import Statement, insert_absent
from bandstand.errors import ServiceUnavailable, ValidationFailed
from bandstand.lifecycle.crashpoints import crash_point, register_crash_points
from bandstand.observability.metrics import counter
from bandstand.sagas.participant.config import ParticipantConfig
from bandstand.sagas.participant.models import EffectState, KeyedEffect
from bandstand.sagas.participant.protocol import Created, DifferentRequest, EffectCancelled, KeyState, Known

__all__ = ["cancel", "create", "query"]

register_crash_points(
    f"participant.{point}"
    for point in ("create.claimed", "create.applied", "create.committed", "cancel.undone", "cancel.committed")
)

_KEY = re.compile(r"[!-.0-~]{8,255}")
_FOUND = Statement(KeyedEffect, "SELECT {columns} FROM {table} WHERE kind = %s AND key = %s")
_LOCKED = Statement(KeyedEffect, "SELECT {columns} FROM {table} WHERE kind = %s AND key = %s {lock}")
_ANSWER = Statement(KeyedEffect, "UPDATE {table} SET answer = %s WHERE kind = %s AND key = %s")
_UNDO = Statement(KeyedEffect, "UPDATE {table} SET state = %s, changed_at = %s WHERE kind = %s AND key = %s")
_STATES = {
    EffectState.APPLIED: KeyState.APPLIED,
    EffectState.UNDONE: KeyState.CANCELLED,
    EffectState.TOMBSTONE: KeyState.CANCELLED,
}

_canonical = msgspec.json.Encoder(order="deterministic").encode
_requests = counter("participant_requests_total", "Creates and cancels by key, by what was found.", ("kind", "outcome"))


def create(kind: str, key: str, *, request: object, do: Callable[[], object]) -> Created:
    """Apply *do* once under *key* and keep its answer: a JSON value, struct or dataclass. A repeat gets it again.

    *request* is what is asked, to tell a repeat from another request. Effect and key are one transaction, the open one
    or its own: what *do* raises leaves neither, and it must call nobody. Raises EffectCancelled (409) for a key that
    was cancelled, DifferentRequest (422) for one that stands for another request.
    """
    using = _alias(key)
    with transaction.atomic(using=using):
        wanted = _row(kind, key, state=EffectState.APPLIED, digest=_digest(request), using=using)
        if is_first := insert_absent(wanted, using=using):
            crash_point("participant.create.claimed")
            wanted.answer = msgspec.json.encode(do()).decode()
            _ANSWER.run(wanted.answer, kind, key, using=using)
            crash_point("participant.create.applied")
        known = wanted if is_first else _standing(_FOUND, kind, key, using)
    crash_point("participant.create.committed")
    if known.state != EffectState.APPLIED:
        _requests.labels(kind, "refused").inc()
        raise EffectCancelled(key=key)
    if known.digest != wanted.digest:
        _requests.labels(kind, "different").inc()
        raise DifferentRequest(key=key)
    _requests.labels(kind, "applied" if is_first else "repeated").inc()
    return Created(answer=msgspec.json.decode(known.answer), is_repeat=not is_first)


def cancel(kind: str, key: str, *, undo: Callable[[Any], object]) -> Known:
    """Make sure that nothing is, or ever will be, applied under *key*; returns what was found.

    An effect is undone once, by *undo* with its answer; where none came, a tombstone refuses a late create; a repeat
    does nothing. All in one transaction, the open one or its own: what *undo* raises leaves the effect as it was.
    """
    using = _alias(key)
    with transaction.atomic(using=using):
        tombstone = _row(kind, key, state=EffectState.TOMBSTONE, using=using)
        is_first = insert_absent(tombstone, using=using)
        known = Known(state=KeyState.ABSENT) if is_first else _known(_standing(_LOCKED, kind, key, using))
        if known.state is KeyState.APPLIED:
            undo(known.answer)
            _UNDO.run(EffectState.UNDONE.value, tombstone.changed_at, kind, key, using=using)
        crash_point("participant.cancel.undone")
    crash_point("participant.cancel.committed")
    outcomes = {KeyState.ABSENT: "buried", KeyState.APPLIED: "undone", KeyState.CANCELLED: "cancelled_before"}
    _requests.labels(kind, outcomes[known.state]).inc()
    return known


def query(kind: str, key: str) -> Known:
    """What is committed under *key*. A create may be under way: `absent` is made final by a cancel alone."""
    found = _FOUND.first(kind, key, using=_alias(key))
    return Known(state=KeyState.ABSENT) if found is None else _known(found)


def _alias(key: str) -> str:
    """The database where *key* is kept. Raises ValidationFailed for what is no key."""
    if _KEY.fullmatch(key) is None:
        raise ValidationFailed(field_errors={"key": ["Expected 8-255 printable ASCII characters, no space, no slash."]})
    return section(ParticipantConfig).database


def _row(kind: str, key: str, *, state: EffectState, using: str, digest: str = "") -> KeyedEffect:
    now = clock.database_now(using)
    return KeyedEffect(kind=kind, key=key, state=state.value, digest=digest, created_at=now, changed_at=now)


def _standing(statement: "Statement[KeyedEffect]", kind: str, key: str, using: str) -> KeyedEffect:
    found = statement.first(kind, key, using=using)
    if found is None:  # purged since the insert met it
        raise ServiceUnavailable("This key is being forgotten.")
    return found


def _known(row: KeyedEffect) -> Known:
    return Known(state=_STATES[EffectState(row.state)], answer=msgspec.json.decode(row.answer))


def _digest(request: object) -> str:
    return hashlib.sha256(_canonical(request)).hexdigest()
