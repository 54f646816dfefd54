"""Events in Django's admin: dead letters are read, edited, replayed and discarded; what was done is read."""

from functools import partial
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db.models import QuerySet
from django.http import HttpRequest

from bandstand.config import section
from bandstand.errors import ServiceError
from bandstand.events import dead_letters
from bandstand.events.config import EventsConfig
from bandstand.events.models import DeadLetter, EventAction

if TYPE_CHECKING:  # Django's classes take no parameter at run time
    _LetterAdmin = admin.ModelAdmin[DeadLetter]
    _ActionAdmin = admin.ModelAdmin[EventAction]
    _LetterForm = forms.ModelForm[DeadLetter]
else:
    _LetterAdmin = _ActionAdmin = admin.ModelAdmin
    _LetterForm = forms.ModelForm

_AT_ONCE = 500


class _Deed(ActionForm):
    note = forms.CharField(required=False, label="Note", max_length=1_000)


class _EditForm(_LetterForm):
    """The event's data as JSON, checked against what the consumer reads."""

    event_data = forms.CharField(widget=forms.Textarea(attrs={"rows": 16, "cols": 100, "spellcheck": "false"}))
    note = forms.CharField(required=False, max_length=1_000, help_text="Why; it stands in the audit trail.")

    class Meta:
        model = DeadLetter
        fields: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        try:
            self.fields["event_data"].initial = dead_letters.shown(dead_letters.event_data(self.instance.pk))
        except ServiceError as error:
            self.fields["event_data"].help_text = error.message

    def clean_event_data(self) -> str:
        """Refuse what does not fit, in the words of the command."""
        data: str = self.cleaned_data["event_data"]
        try:
            dead_letters.preview(self.instance.pk, data.encode())
        except ServiceError as error:
            raise forms.ValidationError(error.message) from error
        return data


@admin.register(DeadLetter)
class DeadLetterAdmin(_LetterAdmin):
    """Nothing can be added or deleted by hand; the actions and the form do what the command does."""

    list_display = ("died_at", "consumer", "type", "subject", "attempts", "state", "reason")
    list_filter = ("state", "consumer", "type", "died_at")
    search_fields = ("=id", "=event_id", "subject", "reason")
    ordering = ("-died_at",)
    actions = ("replay", "discard")
    action_form = _Deed
    form = _EditForm
    readonly_fields = tuple(field.name for field in DeadLetter._meta.fields)  # noqa: SLF001 - Django's own way

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeadLetter]:
        """Read them where the events of this service lie."""
        return super().get_queryset(request).using(section(EventsConfig).database)

    @admin.action(description="Replay: hand to the consumer once more", permissions=["change"])
    def replay(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> None:
        """Put the chosen events back."""
        self._do(request, queryset, dead_letters.replay, "replayed")

    @admin.action(description="Discard: close without applying", permissions=["change"])
    def discard(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> None:
        """Close the chosen events."""
        self._do(request, queryset, dead_letters.discard, "discarded")

    def save_model(self, request: HttpRequest, obj: DeadLetter, form: Any, change: bool) -> None:  # noqa: ARG002 - Django's signature
        """Edit the data as the command does."""
        if "event_data" not in form.changed_data:
            return
        values = form.cleaned_data
        by = request.user.get_username()
        dead_letters.edit(obj.pk, values["event_data"].encode(), by=by, note=values["note"])
        self.message_user(request, "Replay it to have it applied.")

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django's signature
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: DeadLetter | None = None) -> bool:
        """Only while it is open."""
        is_open = obj is None or obj.state == DeadLetter.State.DEAD
        return is_open and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's signature
        """Never: retention does it."""
        return False

    def _do(self, request: HttpRequest, queryset: QuerySet[DeadLetter], what: Any, done: str) -> None:
        close = partial(what, by=request.user.get_username(), note=request.POST.get("note", ""))
        number = 0
        try:
            ids = list(queryset.values_list("pk", flat=True))
            for start in range(0, len(ids), _AT_ONCE):
                number += close(ids[start : start + _AT_ONCE])
        except ServiceError as error:
            self.message_user(request, error.message, messages.ERROR)
        if number:
            self.message_user(request, f"{number} {done}.")


@admin.register(EventAction)
class EventActionAdmin(_ActionAdmin):
    """The audit trail: read only, for everybody."""

    list_display = ("at", "actor", "action", "consumer", "type", "dead_letter", "event_id", "note")
    list_filter = ("action", "consumer", "type", "at")
    search_fields = ("=dead_letter", "=event_id", "actor", "note")
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[EventAction]:
        """Read it where the events of this service lie."""
        return super().get_queryset(request).using(section(EventsConfig).database)

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django's signature
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's signature
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's signature
        """Never: retention does it."""
        return False
