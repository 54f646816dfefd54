"""Proofs and histories of sagas outside of any test: Django set up, a database made for it, things found by name.

`bandstand sagas prove|record|replay` is this on the command line.
"""

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import django

from bandstand.config import ConfigurationError, Fault, environment
from bandstand.config.environment import set_to

if TYPE_CHECKING:
    from bandstand.testing.sagas import Diverged, Proof

__all__ = ["NotThere", "prove_named", "record_saga", "replay_files", "set_up"]

_SETTINGS = "DJANGO_SETTINGS_MODULE"


class NotThere(LookupError):
    """What was named is not there, or is something else."""


def set_up(settings: str = "") -> None:
    """Make Django ready, modules of the working directory included. Raises ConfigurationError without settings."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    name = settings or environment().get(_SETTINGS, "")
    if not name:
        raise ConfigurationError([Fault(variable=_SETTINGS, problem="is not set", expected="a module, or --settings")])
    set_to(_SETTINGS, name)
    try:
        import_module(name)
    except ModuleNotFoundError as error:
        if not _is_part(error.name, name):
            raise
        problem = f"{name!r} is no module that can be imported from {here}"
        raise ConfigurationError([Fault(variable=_SETTINGS, problem=problem)]) from error
    django.setup()


def prove_named(rehearsal: str, *, hits: int = 2, in_processes: bool = False) -> "Proof":
    """Prove the saga of the Rehearsal at MODULE:NAME, on a database made for it. Raises NotThere."""
    from bandstand.testing.sagas import Rehearsal, prove  # noqa: PLC0415 - models can be imported once Django is set up

    found = _named(rehearsal)
    if not isinstance(found, Rehearsal):
        raise NotThere(f"{rehearsal} is no Rehearsal")
    logging.disable(logging.CRITICAL)  # every trouble of every scenario would be told
    try:
        with _test_database():
            return prove(found, hits=hits, in_processes=in_processes)
    finally:
        logging.disable(logging.NOTSET)


def record_saga(saga_id: UUID, file: Path) -> None:
    """Write the history of an ended saga of the real database. Raises NotThere, ValueError while it lives."""
    from bandstand.sagas import SagaExecution  # noqa: PLC0415 - as above
    from bandstand.testing.sagas import record  # noqa: PLC0415 - as above

    try:
        record(saga_id, file)
    except SagaExecution.DoesNotExist as error:
        raise NotThere(f"there is no saga {saga_id}") from error


def replay_files(saga: str, files: Iterable[Path]) -> "list[Diverged]":
    """Feed recorded histories through the saga at MODULE:NAME; returns what goes another way today. Raises NotThere."""
    from bandstand.sagas import Saga  # noqa: PLC0415 - as above
    from bandstand.testing.sagas import Diverged, replay  # noqa: PLC0415 - as above

    found = _named(saga)
    if not (isinstance(found, Saga) or (isinstance(found, type) and issubclass(found, Saga))):
        raise NotThere(f"{saga} is no Saga")
    diverged = []
    for file in files:
        try:
            replay(file, found)
        except Diverged as error:
            diverged.append(error)
    return diverged


def _named(path: str) -> Any:
    """What is called NAME in MODULE. A module that fails for a reason of its own says it itself."""
    module, _, name = path.partition(":")
    if not (module and name):
        raise NotThere(f"{path!r} is no MODULE:NAME")
    try:
        return getattr(import_module(module), name)
    except AttributeError as error:
        if error.name != name:
            raise
        raise NotThere(f"there is no {name} in {module}") from error
    except ModuleNotFoundError as error:
        if not _is_part(error.name, module):
            raise
        raise NotThere(f"there is no module {error.name}") from error


def _is_part(missing: str | None, module: str) -> bool:
    """Whether it is *module* itself, or a package around it, that is missing."""
    return missing is not None and f"{module}.".startswith(f"{missing}.")


@contextmanager
def _test_database() -> Iterator[None]:
    from django.test.utils import setup_databases, teardown_databases  # noqa: PLC0415 - as above

    made = setup_databases(verbosity=0, interactive=False)
    try:
        yield
    finally:
        teardown_databases(made, verbosity=0)
