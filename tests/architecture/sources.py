"""The project's Python files, parsed once."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

__all__ = ["ROOT", "SERVICES", "Finding", "Source", "library", "services", "sources", "tests"]

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("users", "products", "inventory", "orders", "payments", "notifications")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One place where a rule is broken."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


@dataclass(frozen=True)
class Source:
    """One file: its path from the root of the project, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=self.path)

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(self.path.split("/"))

    def finding(self, line: int, what: str) -> Finding:
        return Finding(path=self.path, line=line, what=what)


def sources(*folders: str) -> Iterator[Source]:
    """Every Python file below *folders*, migrations apart: those are written by Django."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            inside = path.relative_to(ROOT)
            if "migrations" not in inside.parts and not any(part.startswith(".") for part in inside.parts):
                yield Source(inside.as_posix(), path.read_text(encoding="utf-8"))


def library() -> Iterator[Source]:
    """The files of the chassis."""
    return sources("src/bandstand")


def services() -> Iterator[Source]:
    """The files of the service packages, without their tests."""
    return sources(*(f"services/{name}/{name}" for name in SERVICES))


def tests() -> Iterator[Source]:
    """The files of all tests."""
    return sources("tests", *(f"services/{name}/tests" for name in SERVICES))
