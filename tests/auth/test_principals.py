"""Headers to principals: who is recognised as whom, and what a cached token still has to prove."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from bandstand import auth
from bandstand.auth.principals import Verifier, key_ring, user_verifier
from bandstand.auth.tokens import user_profile
from bandstand.errors import NotAuthenticated, PermissionDenied
from bandstand.testing.clock import held_clock

pytestmark = pytest.mark.django_db

Become = Callable[..., None]


def test_a_users_token_is_recognised_by_every_service(as_service: Become) -> None:
    as_service("users")
    token = auth.issue_access_token("u-1", session="s-1", roles=["staff"], scope="a b")
    as_service("inventory")
    principal = auth.authenticate_user(f"Bearer {token}")
    assert principal is not None
    assert (principal.id, principal.kind, principal.session, principal.is_staff) == ("u-1", "user", "s-1", True)
    assert principal.scopes == {"a", "b"}


def test_no_header_is_no_principal(as_service: Become) -> None:
    as_service("users")
    assert auth.authenticate_user(None) is None


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic dTpw", "Token x", "Bearer a.b.c", "bearer  x"])
def test_a_malformed_header_is_a_refusal_not_an_absence(as_service: Become, header: str) -> None:
    as_service("users")
    with pytest.raises(NotAuthenticated) as caught:
        auth.authenticate_user(header)
    assert str(caught.value) == NotAuthenticated.sentence


def test_a_service_is_recognised_by_its_own_key(as_service: Become) -> None:
    as_service("orders")
    token = auth.service_token("users", scope="read", on_behalf_of="u-1")
    as_service("users")
    principal = auth.authenticate_service({"Authorization": f"Bearer {token}"}, callers={"orders"})
    assert (principal.id, principal.kind, principal.on_behalf_of) == ("orders", "service", "u-1")


def test_a_service_that_is_not_among_the_callers_is_denied(as_service: Become) -> None:
    as_service("orders")
    token = auth.service_token("users")
    as_service("users")
    with pytest.raises(PermissionDenied):
        auth.authenticate_service({"Authorization": f"Bearer {token}"}, callers={"payments"})


def test_a_token_for_one_service_is_refused_by_another(as_service: Become) -> None:
    as_service("orders")
    token = auth.service_token("payments")
    as_service("users")
    with pytest.raises(NotAuthenticated):
        auth.authenticate_service({"Authorization": f"Bearer {token}"}, callers={"orders"})


def test_users_and_services_cannot_stand_in_for_each_other(as_service: Become) -> None:
    as_service("users")
    user, service = auth.issue_access_token("u-1"), auth.service_token("users")
    with pytest.raises(NotAuthenticated):
        auth.authenticate_service({"Authorization": f"Bearer {user}"}, callers={"users", "u-1"})
    with pytest.raises(NotAuthenticated):
        auth.authenticate_user(f"Bearer {service}")


def test_a_service_cannot_make_a_users_token(as_service: Become) -> None:
    as_service("orders")
    forged = auth.issue_access_token("u-1", roles=["staff"])
    as_service("users")
    with pytest.raises(NotAuthenticated):
        auth.authenticate_user(f"Bearer {forged}")


def test_a_missing_service_token_is_a_401(as_service: Become) -> None:
    as_service("users")
    with pytest.raises(NotAuthenticated):
        auth.authenticate_service({}, callers={"orders"})


def test_without_a_trust_file_no_service_is_believed(as_service: Become) -> None:
    as_service("orders")
    token = auth.service_token("users")
    as_service("users", TRUST_FILE="")
    with pytest.raises(NotAuthenticated):
        auth.authenticate_service({"Authorization": f"Bearer {token}"}, callers={"orders"})


def test_a_cached_token_still_expires(as_service: Become) -> None:
    with held_clock() as held:
        as_service("users")
        header = f"Bearer {auth.issue_access_token('u-1')}"
        held.advance(timedelta(minutes=14, seconds=59))
        assert auth.authenticate_user(header) is not None
        held.advance(timedelta(seconds=31))
        with pytest.raises(NotAuthenticated):
            auth.authenticate_user(header)


def test_the_cache_asks_for_the_key_again_after_a_minute(as_service: Become) -> None:
    with held_clock() as held:
        as_service("users")
        asked: list[str] = []

        class Counting:
            def find(self, *, issuer: str, kid: str) -> object:
                asked.append(kid)
                return key_ring().find(issuer=issuer, kid=kid)

        verifier = Verifier(user_profile(issuer="users", audience="bandstand"), Counting(), kind="user")
        token = auth.issue_access_token("u-1")
        for _ in range(3):
            verifier.principal(token)
        assert len(asked) == 1
        held.advance(61)
        verifier.principal(token)
        assert len(asked) == 2


def test_the_cache_is_bounded(as_service: Become) -> None:
    as_service("users", CACHE_SIZE=8)
    for number in range(50):
        auth.authenticate_user(f"Bearer {auth.issue_access_token(str(number))}")
    assert len(user_verifier()._seen) <= 8


def test_a_service_token_is_reused_until_its_last_minute(as_service: Become) -> None:
    with held_clock() as held:
        as_service("orders")
        first = auth.service_token("users")
        held.advance(239)
        assert auth.service_token("users") == first
        assert auth.service_token("users", on_behalf_of="u-1") != first
        held.advance(2)
        assert auth.service_token("users") != first


def test_a_service_without_a_key_cannot_issue(as_service: Become) -> None:
    as_service("inventory")
    assert not auth.can_issue()
    with pytest.raises(LookupError, match="AUTH_SIGNING_KEY"):
        auth.service_token("users")
