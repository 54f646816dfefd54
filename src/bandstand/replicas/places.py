"""Where a replica is declared, line by line, for whoever is to be told that a change of an event breaks it."""

import ast
import inspect
import textwrap
from collections.abc import Iterable, Iterator

from bandstand.replicas.declaration import Column

__all__ = ["place_of", "places_of"]


def place_of(model: type) -> str:
    """Where the class begins, as `file:line`."""
    return f"{inspect.getfile(model)}:{inspect.getsourcelines(model)[1]}"


def places_of(model: type, columns: Iterable[Column]) -> dict[str, str]:
    """The line that says where each column is read from, by the path in the event; objects stand where their first is.

    That is the entry of `Source.fields` where there is one, else the line of the column.
    """
    lines = dict(_lines(model))
    found: dict[str, str] = {}
    for column in columns:
        place = next((lines[name] for name in _names(column) if name in lines), place_of(model))
        for depth in range(1, len(column.path) + 1):
            found.setdefault(".".join(column.path[:depth]), place)
    return found


def _names(column: Column) -> list[str]:
    bare = column.name.removesuffix("_id")
    return [f"fields.{column.name}", f"fields.{bare}", column.name, bare]


def _lines(model: type) -> Iterator[tuple[str, str]]:
    """Each name that the bodies of the class and of its abstract bases assign, the nearest body last."""
    for cls in reversed(model.__mro__):
        if cls.__module__.startswith(("django.", "bandstand.")) or cls is object:
            continue
        source, first = inspect.getsourcelines(cls)
        (definition,) = ast.parse(textwrap.dedent("".join(source))).body
        for name, node in _assigned(getattr(definition, "body", [])):
            yield name, f"{inspect.getfile(cls)}:{first + node.lineno - 1}"


def _assigned(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.expr | ast.stmt]]:
    for node in body:
        if isinstance(node, ast.Assign):
            yield ast.unparse(node.targets[0]), node
        elif isinstance(node, ast.AnnAssign):
            yield ast.unparse(node.target), node
        elif isinstance(node, ast.ClassDef) and node.name == "Source":
            yield from _mapped(node.body)


def _mapped(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for name, node in _assigned(body):
        value = getattr(node, "value", None)
        if name == "fields" and isinstance(value, ast.Dict):
            yield from ((f"fields.{ast.literal_eval(key)}", key) for key in value.keys if isinstance(key, ast.Constant))
