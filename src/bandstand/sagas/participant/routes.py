"""The internal API of a participant as plain views: `PUT`, `DELETE` and `GET …/{key}/`.

    booking = keyed_route("booking", into=Book, do=book_seats, undo=free_seats, callers={"tours"})
    urlpatterns = [*routes("internal/v1/bookings/<str:key>/", booking)]

Where one of the three does more, give `internal_route` the other two and a handler of your own.
"""

from collections.abc import Callable, Collection
from typing import Any, TypeVar

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from bandstand.errors import NotFound
from bandstand.sagas.participant.keyed import cancel, create, query
from bandstand.sagas.participant.protocol import KeyState
from bandstand.web.internal import internal_route, read_json, reply

__all__ = ["keyed_delete", "keyed_get", "keyed_put", "keyed_route"]

T = TypeVar("T")
Handler = Callable[[HttpRequest, str], HttpResponse]


def keyed_route(
    kind: str,
    *,
    into: type[T],
    do: Callable[[str, T], object],
    undo: Callable[[str, Any], object],
    callers: Collection[str],
) -> Callable[..., HttpResponseBase]:
    """One view of all three, open to the services named in *callers*; the route captures `key`."""
    handlers = {"PUT": keyed_put(kind, into=into, do=do), "DELETE": keyed_delete(kind, undo=undo)}
    return internal_route({**handlers, "GET": keyed_get(kind)}, callers=callers)


def keyed_put(kind: str, *, into: type[T], do: Callable[[str, T], object]) -> Handler:
    """Handle a create: *do* with the key and the body read *into* its type; 201, 200 for a repeat, 409, 422.

    Two bodies are the same request when they are the same JSON: a field that *into* gains changes no earlier one.
    """

    def put(request: HttpRequest, key: str) -> HttpResponse:
        wanted, sent = read_json(request, into=into), read_json(request, into=object)
        created = create(kind, key, request=sent, do=lambda: do(key, wanted))
        return reply(created.answer, status=200 if created.is_repeat else 201)

    return put


def keyed_delete(kind: str, *, undo: Callable[[str, Any], object]) -> Handler:
    """Handle a cancel: *undo* with the key and the answer; 200 with what was found: absent, applied, cancelled."""

    def delete(request: HttpRequest, key: str) -> HttpResponse:  # noqa: ARG001 - the shape of a handler
        found = cancel(kind, key, undo=lambda answer: undo(key, answer))
        return reply({"state": KeyState.CANCELLED, "found": found.state})

    return delete


def keyed_get(kind: str) -> Handler:
    """Handle a query: 200 with state and answer, 404 for a key that is absent."""

    def get(request: HttpRequest, key: str) -> HttpResponse:  # noqa: ARG001 - as above
        known = query(kind, key)
        if known.state is KeyState.ABSENT:
            raise NotFound
        return reply({"state": known.state, "answer": known.answer})

    return get
