"""What orders asks of users."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse

from bandstand.errors import NotFound
from bandstand.web.internal import internal_route, reply
from users import queries


def get_user(request: HttpRequest, user_id: UUID) -> HttpResponse:  # noqa: ARG001 - the signature of a handler
    """Whether a user exists and may act: nothing more leaves the service."""
    user = queries.user(user_id)
    if user is None:
        raise NotFound
    return reply({"id": user.pk, "is_active": user.is_active})


user_view = internal_route({"GET": get_user}, callers={"orders"})
