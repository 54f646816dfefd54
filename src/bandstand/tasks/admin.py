"""Tasks in Django's admin: read, retry, discard."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from bandstand.errors import ServiceError
from bandstand.tasks import operations
from bandstand.tasks.models import TaskRow


@admin.register(TaskRow)
class TaskAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # no generic at run time
    """Nothing can be added, changed or deleted by hand; the actions do what the command does."""

    list_display = ("enqueued_at", "task", "queue", "priority", "state", "attempts", "next_at", "reason")
    list_filter = ("state", "queue", "task")
    search_fields = ("=id", "=correlation_id")
    ordering = ("-id",)
    actions = ("retry", "discard")

    @admin.action(description="Retry: run again, with all attempts", permissions=["change"])
    def retry(self, request: HttpRequest, queryset: QuerySet[TaskRow]) -> None:
        """Make the chosen tasks ready."""
        self._do(request, queryset, operations.retry, "ready")

    @admin.action(description="Discard: give up for good", permissions=["change"])
    def discard(self, request: HttpRequest, queryset: QuerySet[TaskRow]) -> None:
        """Give the chosen tasks up."""
        self._do(request, queryset, operations.discard, "discarded")

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django's signature
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only by the actions."""
        return obj is None and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's signature
        """Never: retention does it."""
        return False

    def _do(
        self,
        request: HttpRequest,
        chosen: QuerySet[TaskRow],
        what: Callable[..., int],
        done: str,
    ) -> None:
        try:
            number = what(list(chosen.values_list("pk", flat=True)), by=request.user.get_username())
        except ServiceError as error:
            self.message_user(request, error.message, messages.ERROR)
        else:
            self.message_user(request, f"{number} {done}.")
