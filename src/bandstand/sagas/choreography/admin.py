"""Journeys in Django's admin: to read."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from bandstand.sagas.choreography.declaration import choreographies
from bandstand.sagas.choreography.models import ChoreographyWatch
from bandstand.sagas.choreography.showing import marked


@admin.register(ChoreographyWatch)
class ChoreographyWatchAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # no generic at run time
    """Nothing can be added, changed or deleted by hand."""

    list_display = ("moved_at", "name", "key", "state", "waiting_for", "due_at", "note")
    list_filter = ("state", "name")
    search_fields = ("=key", "=correlation_id")
    ordering = ("-moved_at",)
    readonly_fields = ("story",)

    @admin.display(description="Story")
    def story(self, watch: ChoreographyWatch) -> SafeString:
        """The declaration with what was seen of it."""
        known = choreographies.get(watch.name)
        return format_html("<pre>{}</pre>", marked(known, watch) if known else watch.seen)

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django's signature
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - as above
        """Never: events move journeys."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - as above
        """Never: retention does it."""
        return False
