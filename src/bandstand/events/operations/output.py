"""How the commands speak: tables and colours for people, JSON for machines, one sentence for a fault."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError
from django.db import DatabaseError

from bandstand.config import ConfigurationError
from bandstand.errors import NotFound, ServiceError
from bandstand.events.backends import BusUnavailable

__all__ = ["NOT_FOUND", "Error", "as_json", "duration", "faults_as_errors", "table"]

NOT_FOUND = 3
"""The exit code for what is not there, as everywhere on the command line."""


class Error(CommandError):
    """One sentence to whoever typed the command; Django writes the name of the class before it."""


@contextmanager
def faults_as_errors() -> Iterator[None]:
    """Turn what can be expected to go wrong into an Error."""
    try:
        yield
    except NotFound as error:
        raise Error(error.message, returncode=NOT_FOUND) from error
    except (ServiceError, BusUnavailable, ConfigurationError) as error:
        raise Error(str(error)) from error
    except DatabaseError as error:
        what = str(error).partition("\n")[0]
        hint = "; is it migrated? `manage.py migrate`, or `bandstand up`" if _is_table_missing(what) else ""
        raise Error(f"the database cannot be used: {what}{hint}") from error


def _is_table_missing(what: str) -> bool:
    return "no such table" in what or ("relation" in what and "does not exist" in what)


def as_json(document: Any) -> str:
    """A document for machines, on one line."""
    return json.dumps(document, ensure_ascii=False)


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Columns as wide as their content; what is absent is a dash."""
    lines = [["-" if cell is None else str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    shown = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    return "\n".join(line.rstrip() for line in shown)


def duration(seconds: float) -> str:
    """A duration for people: its two largest units."""
    left = int(timedelta(seconds=seconds).total_seconds())
    parts = []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")):
        number, left = divmod(left, size)
        parts += [f"{number}{unit}"] if number else []
    return " ".join(parts[:2]) or "0s"
