"""People as operators see them."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from users.models import Session, User


class _ReadOnly:
    """Rows change by commands alone: these end sessions and publish events, a form would do neither."""

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:  # noqa: ARG002 - Django's signature
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Never."""
        return False


@admin.register(User)
class UserAdmin(_ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic at run time
    """People."""

    list_display = ["created_at", "username", "email", "is_active", "is_verified", "is_staff"]
    list_filter = ["is_active", "is_verified", "is_staff"]
    search_fields = ["username", "email"]
    exclude = ["password"]


@admin.register(Session)
class SessionAdmin(_ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic at run time
    """Sign-ins."""

    list_display = ["created_at", "user", "expires_at", "ended_at"]
    list_select_related = ["user"]
