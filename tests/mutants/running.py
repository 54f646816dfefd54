"""Planting a bug in a copy of the project, and running a check there."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mutants.children import CHILDREN
from tests.mutants.declaration import Edit, Mutant
from tests.mutants.witness import REPORT

__all__ = ["Found", "copied", "hold_against", "plant", "run"]

ROOT = Path(__file__).parent.parent.parent
_SAGAS = Path("src/bandstand/sagas")
_TABLE = "transitions.py"
_PASSED, _FAILED = 0, 1
_PLUGINS = ("pytest_django.plugin", "bandstand.testing.plugin", "no:cacheprovider", "tests.mutants.witness")


@dataclass(frozen=True, slots=True)
class Found:
    """How a check went: the tests that `failed`, the `fault` that kept it from saying anything."""

    failed: tuple[str, ...] = ()
    fault: str = ""

    @property
    def is_caught(self) -> bool:
        """Whether a test found something."""
        return bool(self.failed) and not self.fault


@contextmanager
def copied() -> Iterator[Path]:
    """A copy of library and tests, for as long as it is needed; so are the files that the tests leave behind."""
    with TemporaryDirectory(prefix="mutant-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for part in ("src", "tests"):
            shutil.copytree(ROOT / part, folder / part)
        shutil.copy(ROOT / "pyproject.toml", folder)
        (folder / "tmp").mkdir()
        yield folder


def plant(mutant: Mutant, folder: Path) -> None:
    """Change the copy in *folder*. Raises LookupError where the code is not as the bug expects it."""
    for edit in mutant.edits:
        path = folder / _SAGAS / edit.file
        path.write_text(_changed(path.read_text(encoding="utf-8"), edit, mutant.name), encoding="utf-8")
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            compiled.unlink()
    if any(edit.file == _TABLE for edit in mutant.edits):  # the model is to be explored with the very same bug
        command = [sys.executable, "-m", "tests.models.transitions"]
        subprocess.run(command, cwd=folder, env=_environment(folder), check=True, capture_output=True)


def run(folder: Path, selection: Sequence[str], *, deadline_seconds: float) -> Found:
    """Run these tests in *folder* until the first that fails."""
    plugins = [word for plugin in _PLUGINS for word in ("-p", plugin)]
    arguments = ["-x", "-q", *plugins, "--ds=tests.project.settings", *selection]
    try:
        status, output = CHILDREN.run(arguments, folder, _environment(folder), deadline_seconds=deadline_seconds)
    except subprocess.TimeoutExpired:
        return Found(fault=f"still running after {deadline_seconds:.0f} s")
    return _read(folder, status, output)


def hold_against(mutant: Mutant, selection: Sequence[str], *, deadline_seconds: float) -> Found:
    """Plant *mutant* in a copy and run these tests there. Raises LookupError as `plant` does."""
    with copied() as folder:
        plant(mutant, folder)
        return run(folder, selection, deadline_seconds=deadline_seconds)


def _changed(text: str, edit: Edit, name: str) -> str:
    times = text.count(edit.old)
    if times != 1:
        raise LookupError(f"{name}: {edit.file} has {times} places for: {edit.old}")
    return text.replace(edit.old, edit.new)


def _environment(folder: Path) -> dict[str, str]:
    mine = {"PYTHONPATH": str(folder / "src"), "TMPDIR": str(folder / "tmp"), "SERVICE_ENVIRONMENT": "test"}
    mine |= {"DATABASE_URL": "", REPORT: str(folder / "report.json")}
    mine |= {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_ADDOPTS": "",
    }  # loading what is installed costs more than a test
    return {**os.environ, **mine}


def _read(folder: Path, status: int, output: str) -> Found:
    path = folder / "report.json"
    if status not in (_PASSED, _FAILED) or not path.exists():
        return Found(fault=f"pytest ended with {status}: {output[-2000:]}")
    report = json.loads(path.read_text(encoding="utf-8"))
    if not Path(report["library"]).is_relative_to(folder):
        return Found(fault=f"the tests ran against {report['library']}")
    failed = tuple(report["failed"])
    return Found(failed, "" if failed or not report["broken"] else f"no test could say anything: {report['broken']}")
