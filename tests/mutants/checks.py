"""The checks that are held against planted bugs."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tests.mutants.declaration import Mutant

__all__ = ["CHECKS", "Check"]


@dataclass(frozen=True, slots=True)
class Check:
    """A selection of tests, and how long they may take on a busy machine; running out of time catches nothing.

    Where `sees` names files or folders, only bugs in these are within its sight.
    """

    title: str
    selection: tuple[str, ...]
    deadline_seconds: float
    sees: tuple[str, ...] = ()

    def may_catch(self, mutant: Mutant) -> bool:
        """Whether the bug is within its sight."""
        return not self.sees or any(edit.file.startswith(self.sees) for edit in mutant.edits)


_UNITS = (
    "tests/models/test_verdicts.py",
    "tests/sagas/test_engine.py",
    "tests/sagas/test_settling.py",
    "tests/sagas/test_groups.py",
    "tests/sagas/test_mechanisms.py",
    "tests/sagas/test_constructs.py",
    "tests/sagas/test_contexts.py",
    "tests/sagas/test_outcomes.py",
    "tests/sagas/test_limits.py",
    "tests/sagas/test_operations.py",
    "tests/sagas/test_runner.py",
    "tests/sagas/test_worker.py",
    "tests/sagas/test_late_answers.py",
    "tests/sagas/test_transactions.py",
    "tests/participant/test_suite.py",
)

_MACHINES = ("tests/sagas/test_construct_machine.py", "tests/sagas/test_machine.py")

CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "unit": Check("unit tests", _UNITS, 300),
        "paths": Check("known ways", ("tests/sagas/test_construct_paths.py",), 60),
        "machine": Check("state machines", _MACHINES, 300),
        "crash": Check("crash points", ("tests/sagas/test_proof.py",), 300),
        "simulator": Check("simulator", ("tests/mutants/simulated.py",), 300, sees=("engine/", "transitions.py")),
        "spin": Check("formal model", ("tests/models/test_sagas.py",), 300, sees=("transitions.py",)),
    }
)
