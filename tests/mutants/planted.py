"""The planted bugs."""

from tests.mutants.declaration import Mutant
from tests.mutants.planted_calls import CALLS
from tests.mutants.planted_engine import ENGINE
from tests.mutants.planted_log import LOG

__all__ = ["MUTANTS"]

MUTANTS: tuple[Mutant, ...] = (*CALLS, *LOG, *ENGINE)
"""All of them, each with a name of its own."""
