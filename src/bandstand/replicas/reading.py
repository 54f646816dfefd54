"""The event classes that a replica reads by: made of its columns, so that they are written down once."""

import types
from collections.abc import Iterable
from dataclasses import field, make_dataclass
from typing import Any

from bandstand.events import Event
from bandstand.replicas.declaration import ABSENT, Column, Declaration
from bandstand.replicas.places import places_of

__all__ = ["event_class"]

Tree = dict[str, "Column | Tree"]


def event_class(declared: Declaration, event_name: str) -> type[Event]:
    """The event *event_name* with the fields that the replica reads: of one that removes, only the key."""
    columns = declared.read_from(event_name)
    members = {name: _typed(each, name, declared) for name, each in _tree(columns).items()}
    body = {
        "__annotations__": {name: each for name, (each, _) in members.items()},
        "__doc__": f"What the replica {declared.name} reads of {event_name}.",
        "__module__": declared.model.__module__,
        "__qualname__": f"{declared.model.__qualname__}.{_camel(event_name)}",
        # No annotation, so no field: tells `bandstand.events.readers` which lines these fields were made of.
        "declared_at": places_of(declared.model, columns),
        **{name: default for name, (_, default) in members.items() if default is not ABSENT},
    }
    made: type[Event] = types.new_class(
        _camel(event_name), (Event,), {"name": event_name}, lambda own: own.update(body)
    )
    return made


def _tree(columns: Iterable[Column]) -> Tree:
    tree: Tree = {}
    for column in columns:
        inside: Any = tree
        for name in column.path[:-1]:
            inside = inside.setdefault(name, {})
        inside[column.path[-1]] = column
    return tree


def _typed(node: "Column | Tree", name: str, declared: Declaration) -> tuple[Any, Any]:
    """The type of a field and its default, ABSENT for none; an object becomes a class of its own."""
    if isinstance(node, Column):
        return node.type, _default(node)
    members = {inner: _typed(each, inner, declared) for inner, each in node.items()}
    fields = [
        (inner, type_) if default is ABSENT else (inner, type_, default) for inner, (type_, default) in members.items()
    ]
    return make_dataclass(_camel(name), fields, frozen=True, kw_only=True, namespace=_home(declared)), ABSENT


def _home(declared: Declaration) -> dict[str, Any]:
    return {"__module__": declared.model.__module__}


def _default(column: Column) -> Any:
    if column.default is ABSENT:
        return ABSENT
    return field(default_factory=column.default) if callable(column.default) else field(default=column.default)


def _camel(name: str) -> str:
    """`products.product_created.v1` as a class is called; a field's name likewise."""
    fact = name.split(".")[1] if "." in name else name
    return "".join(part.capitalize() for part in fact.split("_"))
