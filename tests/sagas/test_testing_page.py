"""The examples of docs/reference/testing-sagas.md, module by module as they stand there."""

import pytest

from tests.pages import run

TRIPS = run("reference/testing-sagas.md")


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")


# Collected here: the tests, as the page has them.
for _module in TRIPS.values():
    globals().update({name: test for name, test in vars(_module).items() if name.startswith("test_")})


def test_the_page_has_its_tests() -> None:
    assert sum(name.startswith("test_") for module in TRIPS.values() for name in vars(module)) == 5
