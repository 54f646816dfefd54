"""The consumers of replicas, one for each event type, as if each had been written by hand."""

from collections.abc import Callable, Iterator
from functools import partial

from django.apps import apps

from bandstand.events import Envelope, Event, consumer, registry
from bandstand.replicas import applying
from bandstand.replicas.checks import check_source
from bandstand.replicas.declaration import Declaration, declaration
from bandstand.replicas.models import Replica
from bandstand.replicas.places import place_of
from bandstand.replicas.reading import event_class

__all__ = ["consumers_of", "register", "register_all", "replicas"]


def replicas() -> list[Declaration]:
    """All replicas of this service that are declared without a fault, by name."""
    found = [model for model in apps.get_models() if issubclass(model, Replica) and not model._meta.proxy]  # noqa: SLF001 - Django documents it
    return sorted((declaration(each) for each in found if not check_source(each)), key=lambda each: each.name)


def consumers_of(declared: Declaration) -> list[registry.Consumer]:
    """The registered consumers of a replica."""
    names = {_name(declared, event) for event in (*declared.kept_by, *declared.removed_by)}
    return [each for each in registry.consumers() if each.name in names]


def register_all() -> None:
    """Register the consumers of every replica; one with a fault is left to the system checks, which name it."""
    for each in replicas():
        register(each)


def register(declared: Declaration) -> None:
    """Register the consumers of one replica. They share what empties it, so a rebuild concerns them together."""
    reset = partial(applying.empty, declared)
    for event, doc, handler in _handlers(declared):
        cls = event_class(declared, event)
        register_handler = consumer(cls, name=_name(declared, event), batch=True, reset=reset, group=declared.group)
        register_handler(_dressed(handler, declared, event, doc))


def _handlers(declared: Declaration) -> Iterator[tuple[str, str, Callable[[Declaration, applying.Batch], None]]]:
    label = declared.model.__name__
    yield from ((event, f"Keep the replica {label}.", applying.keep) for event in declared.kept_by)
    yield from ((event, f"Remove a row of the replica {label}.", applying.remove) for event in declared.removed_by)


def _dressed(
    apply: Callable[[Declaration, applying.Batch], None], declared: Declaration, event: str, doc: str
) -> Callable[[list[tuple[Event, Envelope]]], None]:
    """A function of its own, which says in contracts and messages that it stands where the replica is declared."""

    def handler(batch: list[tuple[Event, Envelope]]) -> None:
        apply(declared, batch)

    handler.__module__ = declared.model.__module__
    handler.__qualname__ = f"{declared.model.__qualname__}.{event}"
    handler.__doc__ = doc
    handler.declared_at = place_of(declared.model)  # type: ignore[attr-defined]  # a function may carry what is known of it
    return handler


def _name(declared: Declaration, event: str) -> str:
    return f"{declared.model._meta.model_name}.{event.partition('.')[2]}"  # noqa: SLF001 - Django documents it
