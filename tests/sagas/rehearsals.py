"""Rehearsals for the command that proves a saga."""

from bandstand.testing.sagas import Play, Rehearsal
from tests.sagas.shop import Checkout

STAND_INS = Rehearsal(saga=Checkout, begin="an-order", play=Play.ALL_STAND_INS)


def _fails(_: object) -> str:
    return "as it is told to"


BROKEN = Rehearsal(saga=Checkout, begin="an-order", play=Play.ALL_STAND_INS, invariants=[_fails])
