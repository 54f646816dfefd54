"""What a planted bug is."""

from dataclasses import dataclass

__all__ = ["Edit", "Mutant"]


@dataclass(frozen=True, slots=True)
class Edit:
    """One place of the code, in `src/bandstand/sagas`: *old* stands there exactly once and becomes *new*."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """One bug: what it *breaks*, how it is planted, and the quickest selection of tests that catches it.

    `model` is the option by which the formal model goes without the same mechanism.
    """

    name: str
    breaks: str
    edits: tuple[Edit, ...]
    caught_by: str
    model: str = ""
