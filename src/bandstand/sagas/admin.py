"""Sagas in Django's admin: why each waits, its history, and what a person may do about it."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import CharField
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from bandstand import clock
from bandstand.errors import ServiceError
from bandstand.sagas import operations
from bandstand.sagas.models import SagaExecution, SagaSignal
from bandstand.sagas.operations.actions import Action, Deed
from bandstand.sagas.operations.case import Case
from bandstand.sagas.operations.history import Timeline, words_of
from bandstand.sagas.operations.phrases import took
from bandstand.sagas.operations.rules import staying
from bandstand.sagas.protocol import Outcome

if TYPE_CHECKING:  # Django's classes take no parameter at run time
    _Admin = admin.ModelAdmin[SagaExecution]
else:
    _Admin = admin.ModelAdmin

_SHORT = 300
_FORWARD = (
    ("retry", "Retry now"),
    ("approve", "Approve"),
    ("reject", "Reject"),
    ("resolve:happened", "Resolve: happened"),
    ("resolve:did-not-happen", "Resolve: did not happen"),
    ("skip", "Skip"),
    ("cancel", "Cancel"),
    ("compensate", "Compensate"),
)
_BACK = (("retry", "Retry now"), ("resolve:undone", "Resolve: undone"), ("skip", "Skip"))
_ALWAYS = (("annotate", "Annotate"),)


class _Note(ActionForm):
    note = CharField(required=False, label="Note", max_length=1_000)


@admin.register(SagaExecution)
class SagaExecutionAdmin(_Admin):
    """Nothing can be added, changed or deleted by hand; what is done here is what the command does."""

    list_display = ("created_at", "type", "business_key", "status", "why")
    list_filter = ("status", "type", "step")
    search_fields = ("=id", "=business_key", "=correlation_id")
    ordering = ("-pk",)
    actions = ("retry", "cancel", "annotate")
    action_form = _Note

    @admin.display(description="Why it waits")
    def why(self, saga: SagaExecution) -> str:
        """The reason, in words."""
        now = clock.database_now()
        stuck = operations.stuck(saga, now)
        return f"{f'[{stuck}] ' if stuck else ''}{operations.why(saga, now)}"

    @admin.action(description="Retry: make the next attempt now", permissions=["retry"])
    def retry(self, request: HttpRequest, queryset: QuerySet[SagaExecution]) -> None:
        """Make the chosen sagas due."""
        self._do(request, queryset, Action.RETRY)

    @admin.action(description="Cancel: undo, unless the pivot is passed", permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[SagaExecution]) -> None:
        """Wish the chosen sagas undone."""
        self._do(request, queryset, Action.CANCEL)

    @admin.action(description="Annotate: write the note into the history", permissions=["annotate"])
    def annotate(self, request: HttpRequest, queryset: QuerySet[SagaExecution]) -> None:
        """Write the same note beside the chosen sagas."""
        self._do(request, queryset, Action.ANNOTATE)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Whether this person may hurry sagas."""
        return request.user.has_perm("bandstand_sagas.retry_saga")

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Whether this person may cancel sagas."""
        return request.user.has_perm("bandstand_sagas.cancel_saga")

    def has_annotate_permission(self, request: HttpRequest) -> bool:
        """Whether this person may annotate sagas."""
        return request.user.has_perm("bandstand_sagas.annotate_saga")

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django's signature
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Never: a saga moves by its worker alone."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Never: a saga is evidence."""
        return False

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",  # noqa: ARG002 - Django's signature
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """One saga with its history; a POST acts on it."""
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404(f"there is no saga {object_id}")
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        if request.method == "POST":
            self._obey(request, row)
            return HttpResponseRedirect(request.path)
        shown = {**self.admin_site.each_context(request), **_page(request, row), **(extra_context or {})}
        return TemplateResponse(request, "admin/bandstand_sagas/saga.html", {**shown, "opts": self.opts})

    def _obey(self, request: HttpRequest, row: SagaExecution) -> None:
        try:
            said = _done(request, row)
        except ServiceError as error:
            self.message_user(request, error.message, messages.ERROR)
        else:
            self.message_user(request, f"{row}: {said}")

    def _do(self, request: HttpRequest, chosen: QuerySet[SagaExecution], action: Action) -> None:
        done, note = 0, request.POST.get("note", "")
        deed = Deed(action=action, by=request.user.get_username(), note=note)
        for row in chosen:
            try:
                operations.act(row.pk, deed)
            except ServiceError as error:
                self.message_user(request, f"{row}: {error.message}", messages.ERROR)
            else:
                done += 1
        if done:
            self.message_user(request, f"{action} was said to {done}.")


def _done(request: HttpRequest, row: SagaExecution) -> str:
    """Do what a button says, if this person may. Raises PermissionDenied."""
    what, _, outcome = request.POST.get("deed", "").partition(":")
    by = request.user.get_username()
    if what == "confirm":
        number = request.POST.get("proposal", "")
        proposal = next((one for one in operations.proposals(row.pk) if str(one.pk) == number), None)
        if proposal is not None and not request.user.has_perm(operations.permission_to_confirm(row, proposal)):
            raise PermissionDenied
        return operations.confirm(row.pk, by=by, proposal=proposal.pk if proposal is not None else 0).says
    if what not in set(Action):
        raise PermissionDenied
    action, step = Action(what), request.POST.get("step", "")
    if not request.user.has_perm(operations.permission_for(row, action, step)):
        raise PermissionDenied
    note, force = request.POST.get("note", "")[:1_000], request.POST.get("force") == "yes"
    return operations.act(row.pk, Deed(action=action, by=by, note=note, step=step, outcome=outcome, force=force)).says


def _page(request: HttpRequest, row: SagaExecution) -> dict[str, Any]:
    found = operations.timeline(row.pk)
    case = Case(row, clock.database_now())
    stays = staying(case)
    return {
        "title": str(row),
        "saga": row,
        "known": operations.facts([row])[0],
        "at_hand": list(case.at_hand),
        "deeds": [one for one in _offered(case) if _may(request, row, one[0])],
        "can_force": bool(stays) and not case.is_turning_back,
        "staying": ", ".join(stays),
        "proposals": [_proposal(request, row, one) for one in operations.proposals(row.pk)] if case.is_live else [],
        "lines": list(_lines(found)),
    }


def _offered(case: Case) -> tuple[tuple[str, str], ...]:
    if not case.is_live:
        return _ALWAYS
    return (_BACK if case.is_undoing else _FORWARD) + _ALWAYS


def _may(request: HttpRequest, row: SagaExecution, deed: str) -> bool:
    action = Action(deed.partition(":")[0])
    return bool(request.user.has_perm(operations.permission_for(row, action)))


def _proposal(request: HttpRequest, row: SagaExecution, one: SagaSignal) -> dict[str, Any]:
    return {
        **_said(one),
        "pk": one.pk,
        "is_mine": one.said_by == request.user.get_username(),
        "is_allowed": request.user.has_perm(operations.permission_to_confirm(row, one)),
    }


def _lines(found: Timeline) -> Iterator[dict[str, Any]]:
    given = {(one.step, one.direction, one.attempt): one.given for one in found.attempts() if one.given is not None}
    for one in found.merged():
        if isinstance(one, SagaSignal):
            yield _said(one)
            continue
        output = json.dumps(one.output, ensure_ascii=False) if one.output else ""
        context = given.get((one.step, one.direction, one.attempt))
        yield {
            **{name: getattr(one, name) for name in ("at", "step", "direction", "attempt", "error", "key", "worker")},
            "outcome": "under way" if one.outcome == Outcome.INTENT else one.outcome,
            "tone": "ok" if one.outcome in (Outcome.OK, Outcome.BEGUN, Outcome.INTENT) else "bad",
            "took": took(one.seconds) if one.seconds is not None else "",
            "given": json.dumps(context, ensure_ascii=False) if context else "",
            "output": output,
            "is_short": len(output) <= _SHORT,
        }


def _said(one: SagaSignal) -> dict[str, Any]:
    names = ("at", "name", "step", "said_by", "seconded_by", "note", "taken_at")
    return {
        **{name: getattr(one, name) for name in names},
        "is_signal": True,
        "is_proposed": one.proposed,
        "says": words_of(one),
    }
