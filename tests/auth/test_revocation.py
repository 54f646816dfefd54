"""Access that ends before its token does."""

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from bandstand import auth, clock
from bandstand.auth import revocation
from bandstand.auth.models import RevokedSession
from bandstand.errors import NotAuthenticated
from bandstand.testing.clock import HeldClock, held_clock

pytestmark = pytest.mark.django_db(transaction=True)

Become = Callable[..., None]


def accepted(header: str) -> bool:
    try:
        return auth.authenticate_user(header) is not None
    except NotAuthenticated:
        return False


def header(user_id: str, session: str) -> str:
    return f"Bearer {auth.issue_access_token(user_id, session=session)}"


@pytest.fixture(autouse=True)
def fresh() -> None:
    revocation.refresh()


def test_a_revoked_session_ends_and_the_users_other_session_goes_on(as_service: Become) -> None:
    as_service("users")
    first, second = header("u-1", "s-1"), header("u-1", "s-2")
    assert accepted(first)
    auth.revoke_session("s-1", user_id="u-1", until=auth.revoked_until())
    assert not accepted(first)
    assert accepted(second)


def test_a_revoked_user_loses_every_token_issued_before(as_service: Become) -> None:
    with held_clock() as held:
        as_service("users")
        revocation._state.look_at = 0
        before = [header("u-2", "s-1"), header("u-2", "s-2")]
        held.advance(0.002)
        auth.revoke_user("u-2", issued_before=clock.now(), until=auth.revoked_until())
        assert not any(accepted(each) for each in before)


def test_a_session_opened_in_the_same_second_as_the_revocation_is_good(as_service: Become) -> None:
    """A token's times are whole seconds; the issue time hidden in its id tells the two apart."""
    with held_clock() as held:
        as_service("users")
        held.advance(0.1)
        before = header("u-3", "s-1")
        held.advance(0.1)
        auth.revoke_user("u-3", issued_before=clock.now(), until=auth.revoked_until())
        held.advance(0.1)
        assert not accepted(before)
        assert accepted(header("u-3", "s-2"))


def test_revoking_twice_or_late_never_shortens(as_service: Become) -> None:
    as_service("users")
    now = clock.now()
    auth.revoke_user("u-4", issued_before=now, until=now + timedelta(minutes=16))
    auth.revoke_user("u-4", issued_before=now - timedelta(hours=1), until=now + timedelta(minutes=1))
    row = RevokedSession.objects.get(user_id="u-4")
    assert row.issued_before == now
    assert row.until == now + timedelta(minutes=16)


def test_another_process_sees_it_within_five_seconds(as_service: Become) -> None:
    with held_clock() as held:
        as_service("users")
        revocation.refresh()
        victim = header("u-5", "s-1")
        assert accepted(victim)
        _as_if_by_another_process("u-5", "s-1", held)
        held.advance(5)
        assert not accepted(victim)


def _as_if_by_another_process(user_id: str, session: str, held: HeldClock) -> None:
    RevokedSession.objects.create(
        user_id=user_id, session=session, issued_before=held.now(), until=held.now() + timedelta(minutes=16)
    )


def test_rows_are_dropped_when_every_token_has_expired(as_service: Become) -> None:
    with held_clock() as held:
        as_service("users")
        auth.revoke_session("s-1", user_id="u-6", until=auth.revoked_until())
        held.advance(timedelta(minutes=17))
        auth.revoke_session("s-2", user_id="u-6", until=auth.revoked_until())
        assert list(RevokedSession.objects.values_list("session", flat=True)) == ["s-2"]


def test_on_an_event_loop_the_revocations_are_read_by_a_thread(as_service: Become) -> None:
    """The loop must not wait for a database; the last snapshot serves meanwhile."""
    revocation._state.look_at = 0

    async def ask() -> bool:
        return revocation.is_revoked(user_id="u-7", session="s", issued_at=0)

    assert asyncio.run(ask()) is False
    for thread in threading.enumerate():
        if thread.name == "bandstand-revocations":
            thread.join(10)
