"""The project keeps its own rules, and each rule is able to complain."""

from collections.abc import Callable, Iterator

import pytest

from tests.architecture import rules, sizes
from tests.architecture.sources import Finding, Source

LIBRARY, SERVICE = "src/bandstand/events/relay.py", "services/orders/orders/api.py"


def test_nothing_is_over_its_size_limit() -> None:
    assert [str(finding) for finding in sizes.project()] == []


def test_every_rule_of_names_and_doors_is_kept() -> None:
    assert [str(finding) for finding in rules.project()] == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x = 1\n" * 401, "module of 401 lines"),
        ("def long():\n" + "    x = 1\n" * 40, "function long of 41 lines"),
        ("class Long:\n" + "    x = 1\n" * 200, "class Long of 201 lines"),
        ("def wide(self, a, b, c, *, d, e, f, g): ...\n", "function wide with 7 arguments"),
    ],
)
def test_what_is_too_big_is_named(text: str, complaint: str) -> None:
    [finding] = sizes.over_limit(Source(LIBRARY, text), lines=400)
    assert complaint in str(finding)


def test_a_docstring_does_not_make_a_function_long() -> None:
    text = 'def told():\n    """A.\n' + "    b\n" * 60 + '    """\n    return 1\n'
    assert list(sizes.over_limit(Source(LIBRARY, text), lines=400)) == []


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (rules.environment_read, LIBRARY, "import os\nDEBUG = os.environ['DEBUG']\n"),
        (rules.environment_read, LIBRARY, "import os\nDEBUG = os.getenv('DEBUG')\n"),
        (rules.environment_read, SERVICE, "from os import environ\n"),
        (rules.time_read, LIBRARY, "import time\ntime.sleep(1)\n"),
        (rules.time_read, LIBRARY, "from time import sleep\n"),
        (rules.time_read, SERVICE, "import datetime\nx = datetime.datetime.now()\n"),
        (rules.time_read, SERVICE, "from django.utils import timezone\nx = timezone.now()\n"),
        (rules.public_names, LIBRARY, "def relay(): ...\n"),
        (rules.public_names, LIBRARY, "__all__ = ['absent']\n"),
        (rules.missing_docstrings, LIBRARY, "x = 1\n"),
        (rules.missing_docstrings, LIBRARY, '"""Doc."""\n__all__ = ["f"]\ndef f(): ...\n'),
        (rules.misplaced_files, "services/orders/orders/helpers.py", ""),
    ],
)
def test_each_rule_complains(rule: Callable[[Source], Iterator[Finding]], path: str, text: str) -> None:
    assert len(list(rule(Source(path, text)))) == 1


def test_a_snippet_that_does_not_compile_is_named_by_its_line() -> None:
    page = "# Page\n\n```python\nawait fine()\n```\n\n```python\nx = 1\ndef broken(:\n```\n"
    [finding] = rules.uncompilable_snippets("page.md", page)
    assert finding.line == 9
