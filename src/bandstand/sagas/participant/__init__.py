"""Be a participant of other services' sagas: create, cancel and query by key, with tombstones, in a few lines.

    booked = create("booking", key, request=wanted, do=lambda: book(key, wanted))
    cancel("booking", key, undo=lambda answer: free(answer["seats"]))
    query("booking", key).state

Install `bandstand.sagas.participant`; `.routes` makes the PUT, DELETE and GET of an internal API of it.
"""

from typing import TYPE_CHECKING, Any

from bandstand.sagas.participant.protocol import Created, DifferentRequest, EffectCancelled, KeyState, Known

if TYPE_CHECKING:
    from bandstand.sagas.participant.keyed import cancel, create, query
    from bandstand.sagas.participant.retention import purge

__all__ = [
    "Created",
    "DifferentRequest",
    "EffectCancelled",
    "KeyState",
    "Known",
    "cancel",
    "create",
    "purge",
    "query",
]

# What needs Django's models is looked up on first use: an application's package is imported before they are ready.
_LATER = {
    "cancel": "bandstand.sagas.participant.keyed",
    "create": "bandstand.sagas.participant.keyed",
    "purge": "bandstand.sagas.participant.retention",
    "query": "bandstand.sagas.participant.keyed",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module  # noqa: PLC0415 - only for the names above

    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
