"""Answering an approval in code, in the name of a user whose permission is checked."""

from typing import Any, Protocol

from django.db import transaction

from bandstand.errors import NotFound, PermissionDenied
from bandstand.sagas.definition import Saga
from bandstand.sagas.operations.actions import Action, Deed, Told
from bandstand.sagas.operations.deeds import act, permission_for
from bandstand.sagas.signals import live

__all__ = ["Person", "approve", "reject"]


class Person(Protocol):
    """Who answers: a user of `django.contrib.auth`, or whoever can say the same of themselves."""

    def get_username(self) -> str:
        """The name that stands in the saga's history."""

    def has_perm(self, perm: str, /) -> bool:
        """Whether they have a permission, as `orders.change_order`."""


def approve(saga: type[Saga] | str, business_key: Any, *, user: Person, step: str = "", note: str = "") -> Told:
    """Approve what a live saga waits for, in the open transaction if there is one; *step* is needed if several wait.

    Raises PermissionDenied unless *user* has the permission that the approval names, or `bandstand_sagas.approve_saga`
    where it names none; NotFound when there is no such saga, Conflict when it waits for no such approval.
    """
    return _answer(saga, business_key, Action.APPROVE, user, step=step, note=note)


def reject(saga: type[Saga] | str, business_key: Any, *, user: Person, step: str = "", note: str = "") -> Told:
    """As `approve`, but the saga turns back, unless it has passed its pivot; the note is its reason."""
    return _answer(saga, business_key, Action.REJECT, user, step=step, note=note)


def _answer(saga: type[Saga] | str, business_key: Any, action: Action, user: Person, *, step: str, note: str) -> Told:
    name = saga if isinstance(saga, str) else saga.name
    with transaction.atomic(savepoint=False):
        row = live(name, business_key).first()
        if row is None:
            raise NotFound(f"no saga {name} of {business_key} is under way")
        permission = permission_for(row, action, step)
        if not user.has_perm(permission):
            raise PermissionDenied(f"It takes {permission} to {action} this.")
        return act(row.pk, Deed(action=action, by=user.get_username(), note=note, step=step))
