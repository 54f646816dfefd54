"""Sagas in Django's admin: read, retry, cancel."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from bandstand.sagas import operations
from bandstand.sagas.models import SagaExecution


@admin.register(SagaExecution)
class SagaExecutionAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # no generic at run time
    """Nothing can be added, changed or deleted by hand; the actions do what the command does."""

    list_display = ("created_at", "type", "business_key", "status", "direction", "step", "attempt", "reason", "error")
    list_filter = ("status", "type", "step")
    search_fields = ("=id", "=business_key", "=correlation_id")
    ordering = ("-created_at",)
    readonly_fields = ("history",)
    actions = ("retry", "cancel")

    @admin.display(description="History")
    def history(self, saga: SagaExecution) -> SafeString:
        """Every intent and every outcome."""
        lines = operations.timeline(saga.pk).log
        rows = ((line.at, line.direction, line.step, line.attempt, line.outcome, line.error) for line in lines)
        return format_html_join("", "<div>{} {} {} ({}): {} {}</div>", rows)

    @admin.action(description="Retry: make the next attempt now")
    def retry(self, request: HttpRequest, queryset: QuerySet[SagaExecution]) -> None:
        """Make the chosen sagas due."""
        self._do(request, queryset, operations.retry, "due now")

    @admin.action(description="Cancel: undo, unless the pivot is passed")
    def cancel(self, request: HttpRequest, queryset: QuerySet[SagaExecution]) -> None:
        """Wish the chosen sagas undone."""
        self._do(request, queryset, operations.cancel, "asked to turn back")

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django's signature
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only by the actions."""
        return obj is None and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Never: a saga is evidence."""
        return False

    def _do(
        self, request: HttpRequest, chosen: QuerySet[SagaExecution], what: Callable[[UUID], bool], done: str
    ) -> None:
        number = sum(what(saga_id) for saga_id in chosen.values_list("pk", flat=True))
        self.message_user(request, f"{number} sagas are {done}.")
