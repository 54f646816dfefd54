"""The saga engine's transition table as Promela, which the model of the sagas includes.

`python -m tests.models.transitions` writes it anew; a test compares what is committed with the code's table.
"""

from collections.abc import Iterator, Mapping

from bandstand.sagas.transitions import TRANSITIONS, Heard, Phase, Stance, Verdict
from tests.models.spin import FOLDER

__all__ = ["FILE", "Row", "Table", "line_of", "promela"]

FILE = FOLDER / "transitions.pml"

Row = tuple[Phase, Heard, Stance, bool]
Table = Mapping[Row, tuple[Verdict, bool]]


def promela(table: Table = TRANSITIONS) -> str:
    """The names and one guarded line per row; what the table does not have violates an assertion."""
    lines = ["/* Generated from bandstand.sagas.transitions by `python -m tests.models.transitions`. Do not edit. */"]
    for names in (Phase, Heard, Stance, Verdict):
        lines.append("")
        lines += [f"#define {one.name} {number}" for number, one in enumerate(names, start=1)]
    lines += ["", "inline transition(its_phase, is_heard, its_stance, in_doubt, verdict) {", "  if"]
    lines += _rows(table)
    lines += ["  :: else -> assert(false)", "  fi", "}", ""]
    return "\n".join(lines)


def line_of(row: Row, table: Table = TRANSITIONS) -> int:
    """The line of the generated text, counted from 1, that *row* stands in."""
    guard = _guard(row)
    return next(number for number, line in enumerate(promela(table).splitlines(), start=1) if guard in line)


def _rows(table: Table) -> Iterator[str]:
    for row, (verdict, doubt) in table.items():
        yield f"  :: {_guard(row)} -> verdict = {verdict.name}; in_doubt = {int(doubt)}"


def _guard(row: Row) -> str:
    phase, heard, stance, doubt = row
    what = f"its_phase == {phase.name} && is_heard == {heard.name}"
    return f"{what} && its_stance == {stance.name} && in_doubt == {int(doubt)}"


if __name__ == "__main__":
    FILE.write_text(promela(), encoding="utf-8")
