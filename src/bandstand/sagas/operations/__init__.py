"""What a person or a command may do to sagas: find them, read why they wait, act on them, forget them."""

from bandstand.sagas.operations.actions import Action, Deed, Told
from bandstand.sagas.operations.consent import Person, approve, reject
from bandstand.sagas.operations.deeds import (
    act,
    confirm,
    permission_for,
    permission_to_confirm,
    proposals,
    request_cancel,
)
from bandstand.sagas.operations.facts import described, facts, told
from bandstand.sagas.operations.finding import Wanted, find, find_one
from bandstand.sagas.operations.history import Attempt, Timeline, timeline
from bandstand.sagas.operations.reasons import stuck, why
from bandstand.sagas.operations.retention import purge

__all__ = [
    "Action",
    "Attempt",
    "Deed",
    "Person",
    "Timeline",
    "Told",
    "Wanted",
    "act",
    "approve",
    "confirm",
    "described",
    "facts",
    "find",
    "find_one",
    "permission_for",
    "permission_to_confirm",
    "proposals",
    "purge",
    "reject",
    "request_cancel",
    "stuck",
    "timeline",
    "told",
    "why",
]
