"""What verbs print: marks, plain tables, sizes. Results go to stdout, everything else to stderr."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click

__all__ = ["mark", "mebibytes", "print_json", "say", "table"]


def mark(*, good: bool) -> str:
    """A tick or a cross, in ASCII where the terminal knows no more."""
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    sign = ("✓" if good else "✗") if encoding.startswith("utf") else ("ok" if good else "!!")
    return click.style(sign, fg="green" if good else "red")


def say(text: str = "", *, err: bool = False) -> None:
    """Print a line at once: a person is watching, often through a pipe."""
    click.echo(text, err=err)
    (sys.stderr if err else sys.stdout).flush()


def print_json(document: Any) -> None:
    """Print a document for machines."""
    say(json.dumps(document, indent=2, ensure_ascii=False))


def mebibytes(size_bytes: int) -> str:
    """A size for people."""
    return f"{size_bytes / 1048576:.0f} MiB"


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Columns as wide as their content."""
    lines = [list(map(str, row)) for row in (head, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
                     for line in lines)  # fmt: skip
