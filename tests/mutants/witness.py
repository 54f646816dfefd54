"""A plugin of pytest that notes which tests failed and why, and which library they ran against.

A test that cannot be imported, set up or resolved says nothing about a bug: only what a test itself finds counts.
Pytest dies with whoever started it.
"""

import json
import os
from pathlib import Path

import pytest

import bandstand
from bandstand.service.processes import die_with_parent

REPORT, PARENT = "BANDSTAND_MUTANT_REPORT", "BANDSTAND_MUTANT_PARENT"

_BROKEN = (ImportError, NameError, SyntaxError)
_failed: list[str] = []
_broken: list[str] = []


def pytest_configure() -> None:
    """Be sure that no run is left behind where the one that started it was killed."""
    die_with_parent(int(os.environ[PARENT]))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: "pytest.CallInfo[None]") -> None:
    """Note a failure."""
    if call.excinfo is None or issubclass(call.excinfo.type, pytest.skip.Exception):
        return
    is_found = call.when == "call" and not issubclass(call.excinfo.type, _BROKEN)
    (_failed if is_found else _broken).append(f"{item.nodeid}: {call.excinfo.exconly(tryshort=True)[:200]}")


def pytest_sessionfinish() -> None:
    """Leave the notes where they were asked for."""
    found = {"library": bandstand.__file__, "failed": _failed, "broken": _broken}
    Path(os.environ[REPORT]).write_text(json.dumps(found), encoding="utf-8")
