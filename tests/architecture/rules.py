"""Rules about names and doors: `python -m tests.architecture.rules` lists where they are broken."""

import ast
import re
import sys
from collections.abc import Iterator

from tests.architecture.sources import ROOT, Finding, Source, library, services

__all__ = [
    "environment_read",
    "misplaced_files",
    "missing_docstrings",
    "project",
    "public_names",
    "time_read",
    "uncompilable_snippets",
]

# Django finds these by their name; nobody imports from them.
_FOUND_BY_NAME = {"apps.py", "admin.py", "__main__.py"}
_FOUND_IN = {"management", "project"}

# Who may look at the process's environment: the module whose subject it is, and those who start processes.
_ENVIRONMENT = ("src/bandstand/config/", "src/bandstand/service/serve.py", "src/bandstand/fleet/")
_CLOCK = ("src/bandstand/clock.py", "src/bandstand/chaos/")
_MOMENTS = {
    "time": {"time", "time_ns", "sleep", "monotonic", "monotonic_ns"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "timezone": {"now"},
}
_PARTS_OF_A_SERVICE = {
    "__init__", "admin", "api", "apps", "clients", "commands", "config", "consumers", "errors", "events", "management",
    "migrations", "models", "queries", "sagas", "settings", "urls",
}  # fmt: skip
_SNIPPET = re.compile(r"^([ ]*)```python\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


def environment_read(source: Source) -> Iterator[Finding]:
    """Every use of `os.environ` or `os.getenv`: settings come through `bandstand.config`."""
    if source.path.startswith(_ENVIRONMENT) or source.parts[-1] == "manage.py":
        return
    for node in ast.walk(source.tree):
        attribute = isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.environ", "os.getenv"}
        imported = isinstance(node, ast.ImportFrom) and node.module == "os"
        if attribute or (imported and any(alias.name in {"environ", "getenv"} for alias in node.names)):
            yield source.finding(node.lineno, "reads the environment; ask bandstand.config")


def time_read(source: Source) -> Iterator[Finding]:
    """Every reading of time past `bandstand.clock`; `time.perf_counter` may be used to measure."""
    if source.path.startswith(_CLOCK):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            wrong = any(alias.name in _MOMENTS["time"] for alias in node.names)
        elif isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value).rpartition(".")[2]
            wrong = node.attr in _MOMENTS.get(owner, set())
        else:
            continue
        if wrong:
            yield source.finding(node.lineno, "reads time or sleeps; ask bandstand.clock")


def public_names(source: Source) -> Iterator[Finding]:
    """A module that defines something public says so in `__all__`, and each name in it exists; ruff sorts it."""
    name = source.parts[-1]
    if name in _FOUND_BY_NAME or (name.startswith("_") and name != "__init__.py") or _FOUND_IN & set(source.parts):
        return
    listed = _listed(source.tree)
    defined = {node.name for node in source.tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    if listed is None:
        public = sorted(each for each in defined if not each.startswith("_"))
        if public:
            yield source.finding(1, f"has no __all__ though it defines {', '.join(public)}")
        return
    for each in sorted(listed - _bound(source.tree)):
        yield source.finding(1, f"__all__ names {each}, which is not there")


def missing_docstrings(source: Source) -> Iterator[Finding]:
    """Every module of the chassis and every function and class in its `__all__` has a docstring."""
    if source.text.strip() and ast.get_docstring(source.tree) is None:
        yield source.finding(1, "the module has no docstring")
    listed = _listed(source.tree) or set()
    for node in source.tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.name not in listed:
            continue
        overload = any(ast.unparse(each).endswith("overload") for each in node.decorator_list)
        if ast.get_docstring(node) is None and not overload:
            yield source.finding(node.lineno, f"{node.name} is public and has no docstring")


def misplaced_files(source: Source) -> Iterator[Finding]:
    """A service package consists of the parts that the architecture names, each a module or a package."""
    part = source.parts[3].removesuffix(".py")
    if part not in _PARTS_OF_A_SERVICE:
        yield source.finding(1, f"a service has no part called {part}")


def uncompilable_snippets(path: str, text: str) -> Iterator[Finding]:
    """Every Python block of a page compiles."""
    for block in _SNIPPET.finditer(text):
        code = re.sub(rf"^{block[1]}", "", block[2], flags=re.MULTILINE)
        try:
            compile(code, path, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST)
        except SyntaxError as error:
            line = text.count("\n", 0, block.start()) + 1
            yield Finding(path=path, line=line + (error.lineno or 0), what=f"the snippet does not compile: {error.msg}")


def project() -> Iterator[Finding]:
    """Every finding in the project."""
    for source in library():
        for rule in (environment_read, time_read, public_names, missing_docstrings):
            yield from rule(source)
    for source in services():
        for rule in (environment_read, time_read, misplaced_files):
            yield from rule(source)
    for path in [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]:
        yield from uncompilable_snippets(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))


def _listed(tree: ast.Module) -> set[str] | None:
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == "__all__" and isinstance(node.value, ast.List | ast.Tuple):
            return {each.value for each in node.value.elts if isinstance(each, ast.Constant)}
    return None


def _bound(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    # A package may load its parts when they are first asked for (PEP 562).
    return names | (_everything(tree) if "__getattr__" in names else set())


def _everything(tree: ast.Module) -> set[str]:
    return _listed(tree) or set()


if __name__ == "__main__":
    found = [str(finding) for finding in project()]
    sys.stdout.write("".join(f"{line}\n" for line in found))
    sys.exit(1 if found else 0)
