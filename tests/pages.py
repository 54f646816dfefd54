"""The code of documentation pages, run as it stands there."""

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import pytest

__all__ = ["DOCS", "blocks", "modules", "run"]

DOCS = Path(__file__).parents[1] / "docs"
_BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
_NAMED = re.compile(r"# ([\w/]+)\.py\n")


def blocks(page: str) -> list[str]:
    """The Python of a page, in its order."""
    return _BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))


def modules(page: str) -> dict[str, str]:
    """Those blocks that name their module in the first line, by that name."""
    named = ((_NAMED.match(block), block) for block in blocks(page))
    return {match[1].replace("/", "."): block for match, block in named if match is not None}


def run(page: str, *, app: str = "", given: Iterable[ModuleType] = ()) -> dict[str, ModuleType]:
    """The modules of a page, run in its order beside those *given*; its models become those of the installed *app*."""
    found: dict[str, ModuleType] = {}
    with pytest.MonkeyPatch.context() as patch:
        for module in given:
            patch.setitem(sys.modules, module.__name__, module)
        for name, text in modules(page).items():
            package, _, last = name.rpartition(".")
            patch.setitem(sys.modules, package, ModuleType(package))
            found[name] = ModuleType(f"{app}.{package}" if app and last == "models" else name)
            patch.setitem(sys.modules, name, found[name])
            exec(compile(text, f"{page}:{name}", "exec"), vars(found[name]))
    return found
