"""The table of planted bugs in the documentation: a run writes what it held against them, the rest stays."""

import re
from collections.abc import Collection, Iterable, Mapping

from tests.mutants.checks import Check
from tests.mutants.declaration import Mutant
from tests.mutants.running import ROOT

__all__ = ["PAGE", "Catches", "listed", "merged", "rewrite", "table"]

PAGE = ROOT / "docs/reference/saga-proofs.md"
Catches = Mapping[str, frozenset[str]]
"""Name of a bug -> the checks that caught it."""

_BEGIN = "<!-- planted bugs: written by python -m tests.mutants -->"
_END = "<!-- end of planted bugs -->"
_HELD = re.compile(r"^Held against each of them: (.+)\.$", re.MULTILINE)
_LINE = re.compile(r"^\| ([^|]+) \| [^|]+ \| ([^|]+) \| ([^|]*) \|$", re.MULTILINE)
_NAME = re.compile(r"^\| ([^|]+) \| ", re.MULTILINE)


def merged(catches: Catches, held: Collection[str], checks: Mapping[str, Check]) -> tuple[Catches, list[str]]:
    """What the page says of other checks than those *held* now, and what these have caught; and all that were held.

    The refutations of the model are recorded with the formal model.
    """
    _, block, _ = _parts()
    before = {
        name: frozenset(_caught(by, model, checks) - _with_model(held)) for name, by, model in _LINE.findall(block)
    }
    titles = {title for line in _HELD.findall(block) for title in line.split(", ")}
    all_held = [name for name, check in checks.items() if name in held or check.title in titles]
    return {name: before.get(name, frozenset()) | found for name, found in catches.items()}, all_held


def _caught(by: str, model: str, checks: Mapping[str, Check]) -> set[str]:
    titles = by.split(", ")
    return {name for name, check in checks.items() if check.title in titles} | ({"model"} if model.strip() else set())


def _with_model(held: Collection[str]) -> set[str]:
    return {*held, "model"} if "spin" in held else {*held}


def table(mutants: Iterable[Mutant], catches: Catches, checks: Mapping[str, Check]) -> str:
    """One line for each bug, and which checks were held against them."""
    titles = {name: check.title for name, check in checks.items()}
    lines = [f"Held against each of them: {', '.join(titles.values())}.", ""]
    lines += ["| bug | what it breaks | caught by | missing from the model |", "|---|---|---|---|"]
    for mutant in mutants:
        by = ", ".join(title for name, title in titles.items() if name in catches[mutant.name]) or "**nothing**"
        model = f"`{mutant.model}`: refuted" if "model" in catches[mutant.name] else ""
        lines.append(f"| {mutant.name} | {mutant.breaks} | {by} | {model} |")
    return "\n".join(lines)


def listed() -> list[str]:
    """The bugs that the page lists, in its order."""
    _, block, _ = _parts()
    return _NAME.findall(block)[1:]


def rewrite(text: str) -> None:
    """Put *text* between the marks of the page. Raises ValueError where they are missing."""
    before, _, after = _parts()
    PAGE.write_text(f"{before}{_BEGIN}\n{text}\n{_END}{after}", encoding="utf-8")


def _parts() -> tuple[str, str, str]:
    whole = PAGE.read_text(encoding="utf-8")
    start = whole.index(_BEGIN)
    end = whole.index(_END, start)
    return whole[:start], whole[start + len(_BEGIN) : end], whole[end + len(_END) :]
