"""The size limits of the style guide: `python -m tests.architecture.sizes` lists what is over them.

Complexity and the number of statements are checked by ruff; lines and arguments here. Docstrings do not count in the
length of a function or class: what is bounded is the code a reader must hold in mind.
"""

import ast
import sys
from collections.abc import Iterator

from tests.architecture.sources import Finding, Source, library, services, sources, tests

__all__ = ["over_limit", "project"]

CHASSIS_LINES, SERVICE_LINES, TEST_LINES = 400, 300, 400
FUNCTION_LINES, CLASS_LINES, ARGUMENTS = 40, 200, 6

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def over_limit(source: Source, *, lines: int) -> Iterator[Finding]:
    """What in *source* is over its limit; a module may have *lines* lines."""
    total = source.text.count("\n")
    if total > lines:
        yield source.finding(1, f"module of {total} lines; at most {lines}")
    for node in ast.walk(source.tree):
        if isinstance(node, _FUNCTIONS):
            yield from _function(source, node)
        elif isinstance(node, ast.ClassDef) and _length(node) > CLASS_LINES:
            yield source.finding(node.lineno, f"class {node.name} of {_length(node)} lines; at most {CLASS_LINES}")


def _function(source: Source, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Finding]:
    if _length(node) > FUNCTION_LINES:
        yield source.finding(node.lineno, f"function {node.name} of {_length(node)} lines; at most {FUNCTION_LINES}")
    named = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    count = sum(arg.arg not in {"self", "cls"} for arg in named)
    if count > ARGUMENTS:
        yield source.finding(node.lineno, f"function {node.name} with {count} arguments; at most {ARGUMENTS}")


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> int:
    documented = [each for each in ast.walk(node) if isinstance(each, (*_FUNCTIONS, ast.ClassDef))]
    return _lines(node) - sum(_lines(each.body[0]) for each in documented if ast.get_docstring(each, clean=False))


def _lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def project() -> Iterator[Finding]:
    """Everything in the project that is over its limit."""
    for group, lines in (
        (library(), CHASSIS_LINES),
        (services(), SERVICE_LINES),
        (tests(), TEST_LINES),
        (sources("benchmarks"), CHASSIS_LINES),
    ):
        for source in group:
            yield from over_limit(source, lines=lines)


if __name__ == "__main__":
    found = [str(finding) for finding in project()]
    sys.stdout.write("".join(f"{line}\n" for line in found))
    sys.exit(1 if found else 0)
