"""One way to authenticate a request, in a process of its own: answers each line of input with the CPU per call."""

import json
import sys
import time
from collections.abc import Callable

CALLS = 2000
SIMPLEJWT = {"ALGORITHM": "HS256", "SIGNING_KEY": "s" * 48, "AUDIENCE": "bandstand", "ISSUER": "users"}


def simplejwt() -> Callable[[], object]:
    """djangorestframework-simplejwt as its documentation advises for several services: stateless, HS256."""
    import django
    from django.conf import settings

    settings.configure(
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
        SIMPLE_JWT=SIMPLEJWT,
        SECRET_KEY="s" * 48,
    )
    django.setup()
    import jwt
    from django.test import RequestFactory
    from rest_framework_simplejwt.authentication import JWTStatelessUserAuthentication

    now = int(time.time())
    claims = {"iss": "users", "aud": "bandstand", "sub": "u-1", "user_id": "u-1", "token_type": "access"}
    token = jwt.encode({**claims, "iat": now, "exp": now + 900, "jti": "a" * 32}, "s" * 48, "HS256")
    request = RequestFactory().get("/", HTTP_AUTHORIZATION=f"Bearer {token}")
    authentication = JWTStatelessUserAuthentication()
    return lambda: authentication.authenticate(request)


def bandstand(cached: bool) -> Callable[[], object]:
    """Ours: ES256, the strict profile, revocations asked every time; with and without the cache of verified tokens."""
    import django
    from django.conf import settings

    from bandstand.auth.keys import generate_key

    settings.configure(BANDSTAND={"SERVICE": {"NAME": "users"}, "AUTH": {"SIGNING_KEY": json.dumps(generate_key())}})
    django.setup()
    from bandstand.auth import authenticate_user, issue_access_token
    from bandstand.auth.principals import key_ring
    from bandstand.auth.tokens import user_profile, verify

    token = issue_access_token("u-1", session="s-1", roles=["staff"], scope="orders:read orders:write")
    if cached:
        return lambda: authenticate_user(f"Bearer {token}")
    profile, keys = user_profile(issuer="users", audience="bandstand"), key_ring()
    return lambda: verify(token, profile=profile, keys=keys)


def service_token() -> Callable[[], object]:
    """Ours: the token of an outgoing call, which is signed once in four minutes."""
    bandstand(cached=True)
    from bandstand.auth import service_token as token_for

    return lambda: token_for("inventory")


def main() -> None:
    """Serve."""
    call = {
        "simplejwt": simplejwt,
        "bandstand, cached": lambda: bandstand(cached=True),
        "bandstand, first time": lambda: bandstand(cached=False),
        "bandstand, service token": service_token,
    }[sys.argv[1]]()
    for _ in range(100):
        assert call()
    print("ready", flush=True)
    for _ in sys.stdin:
        started = time.process_time()
        for _ in range(CALLS):
            call()
        print((time.process_time() - started) / CALLS * 1e6, flush=True)


if __name__ == "__main__":
    main()
