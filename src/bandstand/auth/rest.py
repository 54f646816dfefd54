"""REST framework's side of auth: bearer authentication, policies, and querysets scoped to their owner.

The default is denial: a view is open to whom its `permission_classes` say, and a view that says nothing is closed to
everybody and fails a system check.
"""

from typing import TYPE_CHECKING, Any, TypeVar

from django.db.models import Model, QuerySet
from django.http import Http404
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from bandstand import context
from bandstand.auth.principals import authenticate_user
from bandstand.context import Principal
from bandstand.errors import NotAuthenticated

if TYPE_CHECKING:  # the framework's views load its default authentication: this module
    from rest_framework.views import APIView

__all__ = [
    "BearerAuthentication",
    "Closed",
    "Policy",
    "Public",
    "SelfOnly",
    "SelfOrStaff",
    "SignedIn",
    "Staff",
    "owned",
    "principal_of",
]

M = TypeVar("M", bound=Model)


class BearerAuthentication(BaseAuthentication):
    """Recognise the user of a bearer token; `request.user` is then the `Principal`, in the context as well."""

    def authenticate(self, request: Request) -> tuple[Principal, None] | None:
        """The principal, or None without an Authorization header. Any refused token is a 401."""
        try:
            principal = authenticate_user(request.META.get("HTTP_AUTHORIZATION"))
        except NotAuthenticated as error:  # REST framework's own error: it is rendered with and without our handler
            raise AuthenticationFailed(error.message) from error
        if principal is None:
            return None
        context.bind(context.current().acting(principal))
        return principal, None

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - REST framework's signature
        """What makes REST framework answer 401 instead of 403."""
        return "Bearer"


def principal_of(request: Request) -> Principal | None:
    """The signed-in user of *request*, or None."""
    return request.user if isinstance(request.user, Principal) and request.user.kind == "user" else None


class Closed(BasePermission):
    """Nobody. The default of every view that declares no policy."""

    def has_permission(self, request: Request, view: "APIView") -> bool:  # noqa: ARG002
        """Always false."""
        return False


class Policy(BasePermission):
    """The root of the permissions that count as a declared policy."""


class Public(Policy):
    """Anybody; a token, when one is sent, must still be valid."""

    def has_permission(self, request: Request, view: "APIView") -> bool:  # noqa: ARG002
        """Always true."""
        return True


class SignedIn(Policy):
    """Any user with a valid token."""

    def has_permission(self, request: Request, view: "APIView") -> bool:  # noqa: ARG002
        """Whether a user is signed in."""
        return principal_of(request) is not None


class Staff(Policy):
    """Users whose token carries the role `staff`; others 403."""

    def has_permission(self, request: Request, view: "APIView") -> bool:  # noqa: ARG002
        """Whether staff is signed in."""
        principal = principal_of(request)
        return principal is not None and principal.is_staff


class SelfOnly(Policy):
    """The user whom the URL names (`owner_kwarg` of the view, default `pk`); for anybody else the answer is 404."""

    staff_too = False

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Whether the URL names the caller. Raises Http404 for another one, so that ids cannot be probed."""
        principal = principal_of(request)
        if principal is None:
            return False
        if self.staff_too and principal.is_staff:
            return True
        if str(view.kwargs.get(getattr(view, "owner_kwarg", "pk"))) != principal.id:
            raise Http404
        return True


class SelfOrStaff(SelfOnly):
    """The user whom the URL names, and staff."""

    staff_too = True


def owned(queryset: QuerySet[M], principal: Principal, *, field: str = "user_id", staff: bool = True) -> QuerySet[M]:
    """Narrow *queryset* to what *principal* owns, so that a foreign id is as absent as a wrong one.

    Staff see everything unless *staff* is false.
    """
    if staff and principal.is_staff:
        return queryset
    lookup: dict[str, Any] = {field: principal.id}
    return queryset.filter(**lookup)
