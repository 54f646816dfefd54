"""Sign-in, refresh, sign-out, and links that arrive by mail."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from bandstand.auth import authenticate_user
from bandstand.auth.config import ACCESS_LIFETIME
from bandstand.auth.rest import Public
from bandstand.errors import NotAuthenticated
from bandstand.web.openapi import Endpoint
from bandstand.web.views import StrictAPIView
from users import commands
from users.api import schemas
from users.errors import LinkRefused, RefreshRefused, WrongCredentials


class SignInView(StrictAPIView):
    """`/auth/token/`."""

    permission_classes = [Public]
    authentication_classes = ()

    @Endpoint(
        summary="Sign in",
        body=schemas.Credentials,
        answers={200: schemas.TokenPair},
        errors=(WrongCredentials,),
    )
    def post(self, request: Request) -> Response:
        """Open a session. A wrong password and an unknown address get the same answer."""
        wish = _read(schemas.Credentials, request)
        return Response(_pair(commands.log_in(email=wish["email"], password=wish["password"])))


class AuthenticateView(StrictAPIView):
    """`/users/authenticate/`."""

    permission_classes = [Public]
    authentication_classes = ()

    @Endpoint(
        summary="Sign in and get the user",
        body=schemas.Credentials,
        answers={200: schemas.AuthenticateAnswer},
        errors=(WrongCredentials,),
    )
    def post(self, request: Request) -> Response:
        """Open a session and show who it belongs to."""
        wish = _read(schemas.Credentials, request)
        tokens = commands.log_in(email=wish["email"], password=wish["password"])
        user = schemas.UserAnswer(tokens.user).data
        return Response({"token": tokens.access, "refresh": tokens.refresh, "user": user})


class RefreshView(StrictAPIView):
    """`/auth/token/refresh/`."""

    permission_classes = [Public]
    authentication_classes = ()

    @Endpoint(
        summary="Spend a refresh token",
        body=schemas.Refresh,
        answers={200: schemas.TokenPair},
        errors=(RefreshRefused,),
    )
    def post(self, request: Request) -> Response:
        """Get the next tokens. A token used twice ends the session, but for a repeat right after a lost answer."""
        return Response(_pair(commands.refresh(token=_read(schemas.Refresh, request)["refresh"])))


class VerifyTokenView(StrictAPIView):
    """`/auth/token/verify/`."""

    permission_classes = [Public]
    authentication_classes = ()

    @Endpoint(
        summary="Ask whether an access token is good",
        body=schemas.Token,
        answers={200: None},
        errors=(NotAuthenticated,),
    )
    def post(self, request: Request) -> Response:
        """200 for a token that would be accepted, else 401."""
        token = _read(schemas.Token, request)["token"]
        if authenticate_user(f"Bearer {token}") is None:
            raise NotAuthenticated
        return Response({})


class RevokeView(StrictAPIView):
    """`/auth/token/revoke/`."""

    permission_classes = [Public]
    authentication_classes = ()

    @Endpoint(summary="Sign out", body=schemas.Refresh, answers={204: None})
    def post(self, request: Request) -> Response:
        """End the session of a refresh token; an unknown token is as good as an ended one."""
        commands.end_session(token=_read(schemas.Refresh, request)["refresh"])
        return Response(status=204)


class VerifyEmailView(StrictAPIView):
    """`/users/verify/`."""

    permission_classes = [Public]

    @Endpoint(summary="Verify an address", body=schemas.Token, answers={204: None}, errors=(LinkRefused,))
    def post(self, request: Request) -> Response:
        """Take the token of the link that was mailed."""
        commands.verify_user(token=_read(schemas.Token, request)["token"])
        return Response(status=204)


class PasswordResetView(StrictAPIView):
    """`/users/password_reset/`."""

    permission_classes = [Public]

    @Endpoint(summary="Ask for a link to reset a password", body=schemas.EmailOnly, answers={202: None})
    def post(self, request: Request) -> Response:
        """202 whoever has the address."""
        commands.request_reset(email=_read(schemas.EmailOnly, request)["email"])
        return Response({}, status=202)


class PasswordResetConfirmView(StrictAPIView):
    """`/users/password_reset/confirm/`."""

    permission_classes = [Public]

    @Endpoint(summary="Reset a password", body=schemas.PasswordReset, answers={204: None}, errors=(LinkRefused,))
    def post(self, request: Request) -> Response:
        """Take the token of the link that was mailed; every session ends."""
        wish = _read(schemas.PasswordReset, request)
        commands.reset_password(token=wish["token"], new_password=wish["new_password"])
        return Response(status=204)


def _read(schema: type[Any], request: Request) -> dict[str, Any]:
    body = schema(data=request.data)
    body.is_valid(raise_exception=True)
    read: dict[str, Any] = body.validated_data
    return read


def _pair(tokens: commands.Tokens) -> dict[str, object]:
    expires = int(ACCESS_LIFETIME.total_seconds())
    return {"access": tokens.access, "refresh": tokens.refresh, "token_type": "Bearer", "expires_in": expires}
