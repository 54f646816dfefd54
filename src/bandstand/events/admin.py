"""Dead letters in Django's admin: read, replay, discard."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from bandstand.errors import ServiceError
from bandstand.events import dead_letters
from bandstand.events.models import DeadLetter

if TYPE_CHECKING:  # Django's class takes no parameter at run time
    _ModelAdmin = admin.ModelAdmin[DeadLetter]
else:
    _ModelAdmin = admin.ModelAdmin


@admin.register(DeadLetter)
class DeadLetterAdmin(_ModelAdmin):
    """Nothing can be added, changed or deleted by hand; the actions do what the command does."""

    list_display = ("died_at", "consumer", "type", "subject", "attempts", "state", "reason")
    list_filter = ("state", "consumer", "type")
    ordering = ("-died_at",)
    actions = ("replay", "discard")

    @admin.action(description="Replay: hand to the consumer once more")
    def replay(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> None:
        """Put the chosen events back."""
        self._do(request, queryset, dead_letters.replay, "replayed")

    @admin.action(description="Discard: close without applying")
    def discard(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> None:
        """Close the chosen events."""
        self._do(request, queryset, dead_letters.discard, "discarded")

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django's signature
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Only by the actions."""
        return obj is None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Never: retention does it."""
        return False

    def _do(self, request: HttpRequest, queryset: QuerySet[DeadLetter], what: Any, done: str) -> None:
        try:
            number = what(list(queryset.values_list("pk", flat=True)))
        except ServiceError as error:
            self.message_user(request, error.message, messages.ERROR)
        else:
            self.message_user(request, f"{number} {done}.")
