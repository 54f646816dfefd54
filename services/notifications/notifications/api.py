"""The public API of notifications."""

from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from bandstand.auth.rest import SignedIn, principal_of
from bandstand.errors import NotAuthenticated
from bandstand.web.fields import DateTimeField, TextField, UUIDField
from bandstand.web.openapi import Endpoint
from bandstand.web.serializers import StrictSerializer
from bandstand.web.views import StrictAPIView
from notifications import queries


class NotificationAnswer(StrictSerializer):
    """A mail that was, or will be, sent to you."""

    id = UUIDField()
    kind = TextField()
    subject = TextField()
    created_at = DateTimeField()
    event_id = UUIDField()


class NotificationsView(StrictAPIView):
    """`/notifications/`."""

    permission_classes = [SignedIn]

    @Endpoint(summary="List your notifications", answers={200: NotificationAnswer(many=True)}, paginated=True)
    def get(self, request: Request) -> Response:
        """List notifications, newest first."""
        principal = principal_of(request)
        if principal is None:
            raise NotAuthenticated
        paginator: Any = self.settings.DEFAULT_PAGINATION_CLASS()
        page = paginator.paginate_queryset(queries.mails(of_user=UUID(principal.id)), request, self)
        answer: Response = paginator.get_paginated_response(NotificationAnswer(page, many=True).data)
        return answer
