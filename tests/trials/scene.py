"""What is played in a trial: which numbers are noted, which change their mind, which nobody can digest."""

from dataclasses import dataclass, field
from typing import Any

__all__ = ["MIRROR", "SHOP", "Scene", "last_number", "rolls_back", "stumbles"]

SHOP, MIRROR = "shop", "mirror"
_ROLLED_BACK_OF_TEN = 7
_STUMBLES_EVERY = 40


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Everything that each process of a trial has to know.

    `shop` notes facts, each numbered, in a row and an event of one transaction; `mirror` writes an effect for each.
    """

    folder: str
    bus_url: str
    databases: dict[str, str]
    subjects: int = 20
    poison_every: int = 100
    """One number of so many makes its consumer fail for ever; 0 poisons none."""
    dwell: float = 0
    """How long a consumer takes for each, in seconds."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Of the section EVENTS; durations in seconds."""
    double: str = ""
    """The faulty bus of `tests.trials.doubles` to play with: then the judge must find something."""

    def subject(self, number: int) -> str:
        """The aggregate that a fact belongs to."""
        return f"subject-{number % self.subjects}"

    def is_poisoned(self, number: int) -> bool:
        """Whether no attempt to consume it succeeds."""
        return bool(self.poison_every) and number % self.poison_every == self.poison_every // 2


def rolls_back(number: int) -> bool:
    """Whether the transaction that notes it is rolled back, whoever tries: delivered all the same it is a phantom."""
    return number % 10 == _ROLLED_BACK_OF_TEN


def stumbles(number: int) -> bool:
    """Whether the first attempt to consume it fails."""
    return number % _STUMBLES_EVERY == 0


def last_number(events: int) -> int:
    """Up to which number to note so that *events* facts are committed."""
    return events * 10 // 9
