"""What consumers read, and where that stands in the code: field by field, with file and line."""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, is_dataclass
from functools import lru_cache
from typing import Any, get_args, get_type_hints

from bandstand.events.compatibility import Schema, paths
from bandstand.events.contracts import schema_of
from bandstand.events.registry import Consumer
from bandstand.events.upcasting import upcasters

__all__ = ["Reader", "function_source", "reader"]

_MARKS = re.compile(r"\[\d*\]|\{\}")


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A consumer as its publisher sees it. Places in the code are `file:line`."""

    consumer: str
    event: str
    summary: str
    handler: str
    fields: dict[str, str]
    """Each field it reads, by path, with the line that declares it."""
    schema: Schema
    older: dict[str, str]
    """Older versions that it takes, with the upcaster that reads each of them."""

    @property
    def types(self) -> list[str]:
        """Every event type it takes."""
        return [self.event, *self.older]

    def place_of(self, field: str) -> str | None:
        """Where it reads *field*, or the object around it as a whole; None when it reads neither."""
        if field in self.fields:
            return self.fields[field]
        around = [path for path in self.fields if field.startswith((f"{path}.", f"{path}[", f"{path}{{"))]
        nearest = max(around, key=len, default=None)
        if nearest is None or any(_bare(path).startswith(f"{_bare(nearest)}.") for path in self.fields):
            return None
        return self.fields[nearest]


def reader(consumer: Consumer) -> Reader:
    """Look up what *consumer* reads."""
    schema = schema_of(consumer.event)
    return Reader(
        consumer=consumer.id,
        event=consumer.event.event_name,
        summary=(consumer.handler.__doc__ or "").strip().partition("\n")[0],
        handler=function_source(consumer.handler),
        fields={path: _field_source(consumer.event, path) for path in paths(schema)},
        schema=schema,
        older={each.old: function_source(each.lift) for each in upcasters() if each.old in consumer.types},
    )


def function_source(function: Callable[..., Any]) -> str:
    """Where a function begins, its decorators included; `declared_at` where it was made of a declaration elsewhere."""
    place: str | None = getattr(function, "declared_at", None)
    if place is not None:
        return place
    code = inspect.unwrap(function).__code__
    return f"{code.co_filename}:{code.co_firstlineno}"


def _bare(path: str) -> str:
    return _MARKS.sub("", path)


def _field_source(cls: type, path: str) -> str:
    """The line that declares the innermost field of *path*; the class's own where a field comes from nowhere else."""
    made_of: dict[str, str] = getattr(cls, "declared_at", {})
    if _bare(path) in made_of:
        return made_of[_bare(path)]
    place = f"{inspect.getfile(cls)}:1"
    for name in _bare(path).split("."):
        owner = next((each for each in cls.__mro__ if name in inspect.get_annotations(each)), None)
        if owner is None:
            break
        place = f"{inspect.getfile(owner)}:{_lines(owner).get(name, 1)}"
        inner = next(_classes_in(get_type_hints(owner).get(name)), None)
        if inner is None:
            break
        cls = inner
    return place


@lru_cache
def _lines(cls: type) -> dict[str, int]:
    try:
        source, first = inspect.getsourcelines(cls)
    except (OSError, TypeError):  # made at run time: there is no line
        return {}
    (definition,) = ast.parse(textwrap.dedent("".join(source))).body
    fields = [node for node in getattr(definition, "body", ()) if isinstance(node, ast.AnnAssign)]
    return {ast.unparse(node.target): first + node.lineno - 1 for node in fields}


def _classes_in(hint: Any) -> Iterator[type]:
    if isinstance(hint, type) and is_dataclass(hint):
        yield hint
    for argument in get_args(hint):
        yield from _classes_in(argument)
