"""Accounts and profiles: one's own, and everybody's for staff."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from bandstand.auth.rest import Policy, Public, SelfOnly, SelfOrStaff, SignedIn, Staff, principal_of
from bandstand.errors import NotFound
from bandstand.web import etags, idempotency
from bandstand.web.openapi import Endpoint
from bandstand.web.views import StrictAPIView
from users import commands, queries
from users.api import schemas
from users.config import users_config
from users.errors import EmailTaken, UsernameTaken
from users.models import User, UserProfile


class SearchQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What to look for, and how many at most."""

    q: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20


def user_tag(user: User) -> str:
    """The ETag of a user's present state."""
    return etags.etag(user.pk, user.updated_at)


def profile_tag(profile: UserProfile) -> str:
    """The ETag of a profile's present state."""
    return etags.etag(profile.pk, profile.updated_at)


class UsersView(StrictAPIView):
    """`/users/`."""

    permission_classes = [Staff]

    def get_permissions(self) -> list[Any]:
        """Let anybody join; what the rest shows is for staff."""
        return [Public()] if self.request.method == "POST" else [Staff()]

    @Endpoint(summary="List users", answers={200: schemas.UserAnswer(many=True)}, paginated=True)
    def get(self, request: Request) -> Response:
        """List users, newest first."""
        paginator: Any = self.settings.DEFAULT_PAGINATION_CLASS()
        page = paginator.paginate_queryset(queries.users(), request, self)
        answer: Response = paginator.get_paginated_response(schemas.UserAnswer(page, many=True).data)
        return answer

    @Endpoint(
        summary="Join",
        body=schemas.Registration,
        answers={201: schemas.UserAnswer, 202: None},
        errors=(EmailTaken, UsernameTaken),
        idempotency="accepted",
    )
    def post(self, request: Request) -> HttpResponseBase:
        """Make an account. With private registration the answer is always 202 and the rest comes by mail."""
        claim = idempotency.begin(request)
        if claim.replay is not None:
            return claim.replay
        body = schemas.Registration(data=request.data)
        body.is_valid(raise_exception=True)
        user = commands.prepare_user(wish=commands.NewUser(**body.validated_data))
        with claim.answering() as answer:
            return answer(_join(user))


class SearchView(StrictAPIView):
    """`/users/search/`."""

    permission_classes = [Staff]

    @Endpoint(summary="Search users", answers={200: schemas.FoundUsers}, query=SearchQuery)
    def get(self, request: Request) -> Response:  # noqa: ARG002 - REST framework's signature
        """Find users by name or address."""
        found = queries.search(self.query.q)[: self.query.limit]
        return Response({"results": schemas.UserAnswer(found, many=True).data})


class MeView(StrictAPIView):
    """`/users/me/`."""

    permission_classes = [SignedIn]

    @Endpoint(summary="Show yourself", answers={200: schemas.UserAnswer}, etag=True)
    def get(self, request: Request) -> Response:
        """Show the signed-in user."""
        principal = principal_of(request)
        if principal is None:
            raise NotFound
        return _shown(_user(UUID(principal.id)))


class UserView(StrictAPIView):
    """`/users/{id}/`."""

    permission_classes: list[type[Policy]] = [SelfOrStaff]
    owner_kwarg = "user_id"

    @Endpoint(summary="Show a user", answers={200: schemas.UserAnswer}, etag=True)
    def get(self, request: Request, user_id: UUID) -> Response:  # noqa: ARG002 - REST framework's signature
        """Show one user."""
        return _shown(_user(user_id))

    @Endpoint(
        summary="Replace what a user may change",
        body=schemas.UserAnswer,
        answers={200: schemas.UserAnswer},
        errors=(UsernameTaken,),
        etag=True,
    )
    def put(self, request: Request, user_id: UUID) -> Response:
        """Replace all writable fields; one that is not sent becomes empty."""
        return _update(request, user_id, partial=False)

    @Endpoint(
        summary="Change some of what a user may change",
        body=schemas.UserAnswer(partial=True),
        answers={200: schemas.UserAnswer},
        errors=(UsernameTaken,),
        etag=True,
    )
    def patch(self, request: Request, user_id: UUID) -> Response:
        """Change the fields that are sent."""
        return _update(request, user_id, partial=True)

    @Endpoint(summary="Delete an account", answers={204: None})
    def delete(self, request: Request, user_id: UUID) -> Response:  # noqa: ARG002 - REST framework's signature
        """Take the account out of sight; sessions and tokens end."""
        commands.delete_user(user_id=user_id)
        return Response(status=204)


class DeactivateView(StrictAPIView):
    """`/users/{id}/deactivate/`."""

    permission_classes = [Staff]

    @Endpoint(summary="Keep a user out", answers={200: schemas.UserAnswer})
    def post(self, request: Request, user_id: UUID) -> Response:  # noqa: ARG002 - REST framework's signature
        """Deactivate; sessions and tokens end."""
        return _shown(commands.deactivate_user(user_id=user_id))


class ActivateView(StrictAPIView):
    """`/users/{id}/activate/`."""

    permission_classes = [Staff]

    @Endpoint(summary="Let a user in again", answers={200: schemas.UserAnswer})
    def post(self, request: Request, user_id: UUID) -> Response:  # noqa: ARG002 - REST framework's signature
        """Activate."""
        return _shown(commands.activate_user(user_id=user_id))


class ProfileView(StrictAPIView):
    """`/users/{id}/profile/`."""

    permission_classes: list[type[Policy]] = [SelfOrStaff]
    owner_kwarg = "user_id"

    @Endpoint(summary="Show a profile", answers={200: schemas.ProfileAnswer}, etag=True)
    def get(self, request: Request, user_id: UUID) -> Response:  # noqa: ARG002 - REST framework's signature
        """Show what a person tells about themselves."""
        profile = queries.profile(user_id)
        if profile is None:
            raise NotFound
        return _shown_profile(profile)

    @Endpoint(summary="Replace a profile", body=schemas.ProfileAnswer, answers={200: schemas.ProfileAnswer}, etag=True)
    def put(self, request: Request, user_id: UUID) -> Response:
        """Replace the profile; a field that is not sent becomes empty."""
        check = etags.precondition(request, etag_of=profile_tag)
        body = schemas.ProfileAnswer(data=request.data, context={"request": request})
        body.is_valid(raise_exception=True)
        return _shown_profile(commands.update_profile(user_id=user_id, changes=body.validated_data, check=check))


class ChangePasswordView(StrictAPIView):
    """`/users/{id}/change_password/`."""

    permission_classes: list[type[Policy]] = [SelfOnly]
    owner_kwarg = "user_id"

    @Endpoint(summary="Change your password", body=schemas.PasswordChange, answers={204: None})
    def post(self, request: Request, user_id: UUID) -> Response:
        """Set a new password; every other session ends."""
        body = schemas.PasswordChange(data=request.data)
        body.is_valid(raise_exception=True)
        wish, principal = body.validated_data, principal_of(request)
        commands.change_password(
            user_id=user_id,
            old=wish["old_password"],
            new=wish["new_password"],
            keep_session=principal.session if principal else None,
        )
        return Response(status=204)


def _join(user: User) -> Response:
    if users_config().private_registration:
        commands.register_privately(user=user)
        return Response({}, status=202)
    return Response(schemas.UserAnswer(commands.register_user(user=user)).data, status=201)


def _update(request: Request, user_id: UUID, *, partial: bool) -> Response:
    check = etags.precondition(request, etag_of=user_tag)
    body = schemas.UserAnswer(_user(user_id), data=request.data, partial=partial, context={"request": request})
    body.is_valid(raise_exception=True)
    return _shown(commands.update_user(user_id=user_id, changes=body.validated_data, check=check))


def _shown(user: User) -> Response:
    return etags.tagged(Response(schemas.UserAnswer(user).data), user_tag(user))


def _shown_profile(profile: UserProfile) -> Response:
    return etags.tagged(Response(schemas.ProfileAnswer(profile).data), profile_tag(profile))


def _user(user_id: UUID) -> User:
    user = queries.user(user_id)
    if user is None:
        raise NotFound
    return user
