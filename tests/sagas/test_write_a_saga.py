"""The saga of docs/howto/write-a-saga.md, as it stands there, against participants that answer over HTTP."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

from bandstand.errors import PermissionDenied
from bandstand.sagas import SagaExecution
from bandstand.sagas.checks import check_saga
from bandstand.sagas.models import SagaSignal
from bandstand.sagas.signals import SignalName, signal
from bandstand.testing.participants import Fault
from tests import pages
from tests.sagas.keyed_services import KeyedServices, keyed_services
from tests.sagas.stage import Stage

PAGE = "howto/write-a-saga.md"
MODULES = pages.run(PAGE, app="tests.project")
Payout: Any = MODULES["payouts.models"].Payout
PayoutSaga: Any = MODULES["payouts.sagas"].PayoutSaga
request_payout: Callable[..., Any] = MODULES["payouts.sagas"].request_payout
DAY = timedelta(days=1)


@pytest.fixture(scope="session", autouse=True)
def _trust(trust_issuers: Callable[..., None]) -> None:
    trust_issuers("project")


@pytest.fixture
def services() -> Iterator[KeyedServices]:
    with keyed_services(KeyedServices("holds", "transfers", "bookings")) as found:
        discovery = {"SERVICES": dict.fromkeys(("ledger", "bank"), found.url)}
        with override_settings(BANDSTAND={**settings.BANDSTAND, "DISCOVERY": discovery}):
            yield found


def at(payout: Any) -> tuple[str, str]:
    row = SagaExecution.objects.get(type="payout", business_key=str(payout.id))
    return row.status, row.step


def settled(stage: Stage, payout: Any) -> str:
    """Drive on until the saga has ended; the payout's state."""
    stage.settle(SagaExecution.objects.get(business_key=str(payout.id)).pk, seconds=DAY.total_seconds() * 6)
    payout.refresh_from_db()
    return str(payout.state)


def consent(payout: Any, name: SignalName = SignalName.APPROVED, **said: str) -> None:
    if name is SignalName.APPROVED:
        answer(payout, Grace())
    else:
        assert signal("payout", payout.id, name, step="consent", said_by="grace", **said)


def answer(payout: Any, user: object) -> None:
    """What the page's view does when this user has sent a request."""
    (text,) = [block for block in pages.blocks(PAGE) if "approve(" in block]
    exec(compile(text, PAGE, "exec"), {"payout": payout, "request": SimpleNamespace(user=user)})


class Grace:
    """She may."""

    permissions: tuple[str, ...] = ("payouts.change_payout",)

    def get_username(self) -> str:
        return "grace"

    def has_perm(self, permission: str) -> bool:
        return permission in self.permissions


class Guest(Grace):
    """May something else."""

    permissions = ("bandstand_sagas.approve_saga",)


def standing(services: KeyedServices) -> dict[str, int]:
    return {kind: participant.standing() for kind, participant in services.of.items()}


def test_the_page_has_a_whole_saga_in_sixty_lines() -> None:
    texts = [text for name, text in pages.modules(PAGE).items() if name != "payouts.rehearsals"]
    lines = [line for text in texts for line in text.splitlines() if line.strip()]
    assert len([line for line in lines if not line.startswith("#")]) <= 60


def test_the_linter_finds_nothing_in_it() -> None:
    assert list(check_saga(PayoutSaga())) == []


def test_a_large_payout_is_paid_a_day_after_the_consent(stage: Stage, services: KeyedServices) -> None:
    payout = request_payout(seller="ada", cents=250_000)
    stage.drive()
    assert at(payout) == ("waiting", "consent")
    consent(payout)
    stage.drive()
    assert at(payout) == ("waiting", "objections")
    assert standing(services) == {"holds": 1, "transfers": 0, "bookings": 0}
    stage.clock.advance(DAY)
    assert settled(stage, payout) == "paid"
    assert standing(services) == {"holds": 1, "transfers": 1, "bookings": 1}


def test_who_may_not_change_payouts_gives_no_consent(stage: Stage, services: KeyedServices) -> None:
    payout = request_payout(seller="ada", cents=250_000)
    stage.drive()
    with pytest.raises(PermissionDenied, match=r"payouts\.change_payout"):
        answer(payout, Guest())
    stage.drive()
    assert at(payout) == ("waiting", "consent")
    assert not SagaSignal.objects.exists()


def test_a_small_payout_needs_no_consent(stage: Stage, services: KeyedServices) -> None:
    payout = request_payout(seller="ada", cents=999)
    stage.drive()
    assert at(payout) == ("waiting", "objections")


def test_a_rejection_releases_the_balance(stage: Stage, services: KeyedServices) -> None:
    payout = request_payout(seller="ada", cents=250_000)
    stage.drive()
    consent(payout, SignalName.REJECTED, note="known fraud")
    assert settled(stage, payout) == "not paid: known fraud"
    assert standing(services)["holds"] == 0


def test_an_account_that_bank_does_not_know_releases_the_balance(stage: Stage, services: KeyedServices) -> None:
    payout = request_payout(seller="nobody", cents=999)
    assert settled(stage, payout) == "not paid: not_found"
    assert standing(services) == {"holds": 0, "transfers": 0, "bookings": 0}


def test_a_transfer_that_never_answers_is_recalled(stage: Stage, services: KeyedServices) -> None:
    services.of["transfers"].order("create", Fault.LOST_REPLY, always=True)
    payout = request_payout(seller="ada", cents=999)
    assert settled(stage, payout) == "not paid: deadline"
    assert services.of["transfers"].applied() == 1
    assert standing(services) == {"holds": 0, "transfers": 0, "bookings": 0}


def test_a_consent_that_never_comes_ends_at_the_deadline(stage: Stage, services: KeyedServices) -> None:
    payout = request_payout(seller="ada", cents=250_000)
    assert settled(stage, payout) == "not paid: deadline"
    assert standing(services)["holds"] == 0
