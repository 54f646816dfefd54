"""Every page can be found from the index of its folder."""

from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


INDEXES = [
    ("reference", "README.md"),
    ("explanation", "README.md"),
    ("howto", "README.md"),
    ("decisions", "decisions/README.md"),
]


@pytest.mark.parametrize(("folder", "index"), INDEXES)
def test_an_index_names_every_page(folder, index):
    linked = (DOCS / index).read_text()
    pages = {page.name for page in (DOCS / folder).glob("*.md")} - {"README.md"}
    assert pages
    assert {page for page in pages if f"{page})" not in linked} == set()
