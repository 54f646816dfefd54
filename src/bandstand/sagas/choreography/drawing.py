"""A declaration as people see it: an indented text, or a Mermaid flowchart."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta

from bandstand.events.operations.output import duration
from bandstand.sagas.choreography.declaration import Choreography
from bandstand.sagas.choreography.language import AllOf, Either, Node, Then

__all__ = ["as_mermaid", "as_text"]

Mark = Callable[[str], str]


def as_text(choreography: type[Choreography], mark: Mark = lambda _: "") -> str:
    """Draw one line for each step; *mark* says what stands before an event, given its name."""
    key = choreography.key if isinstance(choreography.key, str) else choreography.key.__name__
    head = f"{choreography.name}, one for each {key or 'subject'}{_bound(choreography.within)}"
    return "\n".join([head, *_lines(choreography.nodes(), mark, "  ")])


def _lines(sequence: Iterable[Node], mark: Mark, indent: str) -> Iterator[str]:
    for node in sequence:
        if isinstance(node, Then):
            yield f"{indent}{_said(node, mark)}"
        elif isinstance(node, AllOf):
            yield f"{indent}all of, in any order"
            yield from (f"{indent}  {_said(each, mark)}" for each in node.members)
        else:
            for number, branch in enumerate(node.branches):
                yield f"{indent}{'or' if number else 'either'}"
                yield from _lines(branch, mark, f"{indent}  ")


def _said(step: Then, mark: Mark) -> str:
    return f"{mark(step.name)}{'maybe ' if step.is_optional else ''}{step.name}{_bound(step.within)}"


def _bound(within: timedelta | None) -> str:
    return f", within {duration(within.total_seconds())}" if within else ""


def as_mermaid(choreography: type[Choreography]) -> str:
    """Draw a flowchart: solid arrows lead to what is waited for, dotted ones to what may come."""
    chart = _Chart()
    ends = chart.sequence(choreography.nodes(), [])
    chart.join(ends, "([completed])")
    return "\n".join(["flowchart TD", *(f"    {line}" for line in chart.lines)])


class _Chart:
    """The lines of a flowchart, and a number for each of its nodes."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._count = 0

    def sequence(self, steps: Iterable[Node], ends: Sequence[str]) -> list[str]:
        """Draw *steps* behind the open *ends*; return those that are open then."""
        found = list(ends)
        for node in steps:
            found = self._node(node, found)
        return found

    def join(self, ends: Iterable[str], shape: str) -> str:
        """Draw a node with arrows from *ends*."""
        name = self._drawn(shape)
        self.lines += [f"{end} --> {name}" for end in ends]
        return name

    def _node(self, node: Node, ends: Sequence[str]) -> list[str]:
        if isinstance(node, Either):
            return [end for branch in node.branches for end in self.sequence(branch, ends)]
        if isinstance(node, AllOf):
            members = [self._event(each, ends) for each in node.members]
            return [self.join(members, "{{all of them}}")]
        drawn = self._event(node, ends)
        return [*ends, drawn] if node.is_optional else [drawn]

    def _event(self, step: Then, ends: Iterable[str]) -> str:
        name = self._drawn(f'["{step.name}"]')
        arrow = "-.->" if step.is_optional else "-->"
        label = f'|"{_bound(step.within).removeprefix(", ")}"|' if step.within else ""
        self.lines += [f"{end} {arrow}{label} {name}" for end in ends]
        return name

    def _drawn(self, shape: str) -> str:
        name = f"n{self._count}"
        self._count += 1
        self.lines.append(f"{name}{shape}")
        return name
