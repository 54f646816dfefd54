"""The examples of docs/reference/testing-sagas.md, module by module as they stand there."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "testing-sagas.md"
MODULE = re.compile(r"```python\n# ([\w/]+)\.py\n(.*?)```", re.DOTALL)


def documented() -> dict[str, ModuleType]:
    found = {"trips": ModuleType("trips")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "trips", found["trips"])
        for path, text in MODULE.findall(PAGE.read_text(encoding="utf-8")):
            name = path.replace("/", ".")
            found[name] = ModuleType(name)
            patch.setitem(sys.modules, name, found[name])
            exec(compile(text, f"{PAGE.name}:{name}", "exec"), vars(found[name]))
    return found


TRIPS = documented()


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")


# Collected here: the tests, as the page has them.
for _module in TRIPS.values():
    globals().update({name: test for name, test in vars(_module).items() if name.startswith("test_")})


def test_the_page_has_its_tests() -> None:
    assert sum(name.startswith("test_") for module in TRIPS.values() for name in vars(module)) == 5
