"""What a proof saw, as a block of a page of the documentation that it rewrites itself."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.proofs.outage import Found

__all__ = ["block", "rewrite", "told"]

_BEGIN, _END = "<!-- what it saw: written by {by} -->", "<!-- end of what it saw -->"
_BY = "python -m tests.proofs.outage"
_FIRST, _LAST = 3, 3


def told(found: "Found", *, command: Sequence[str]) -> str:
    """The looks at the list, the history of the oldest saga, the end; long output is cut in the middle and says so."""
    shown = " ".join(command)
    *away, after = found.looks
    parts = [_console(f"{shown} list", each.listed, f"After {each.second:.0f} s without a provider:") for each in away]
    parts.append(_console(f"{shown} show {_id_in(found.oldest)}", found.oldest, "The oldest of them at that moment:"))
    ends = ", ".join(f"{count} {status}" for status, count in sorted(found.ends.items()))
    seconds = f"{found.ended_after_seconds:.0f} s after the provider had come back"
    parts.append(_console(f"{shown} list", after.listed, f"And {seconds} ({ends}):"))
    return "\n\n".join(parts)


def rewrite(path: Path, text: str) -> None:
    """Put *text* between the marks. Raises ValueError where they are missing."""
    whole = path.read_text(encoding="utf-8")
    start, end = _place(whole)
    path.write_text(f"{whole[:start]}\n{text}\n{whole[end:]}", encoding="utf-8")


def block(whole: str) -> str:
    """What stands between the marks. Raises ValueError where they are missing."""
    start, end = _place(whole)
    return whole[start:end]


def _place(whole: str) -> tuple[int, int]:
    begin = _BEGIN.format(by=_BY)
    start = whole.index(begin) + len(begin)
    return start, whole.index(_END, start)


def _console(command: str, output: str, title: str) -> str:
    return f"{title}\n\n```console\n$ {command}\n{_cut(output.splitlines())}\n```"


def _cut(lines: list[str]) -> str:
    left_out = len(lines) - _FIRST - _LAST
    if left_out > 1:
        lines = [*lines[:_FIRST], f"… {left_out} more lines …", *lines[-_LAST:]]
    return "\n".join(line.rstrip() for line in lines)


def _id_in(shown: str) -> str:
    return shown.splitlines()[0].split()[-1]
