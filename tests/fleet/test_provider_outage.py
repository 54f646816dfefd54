"""The payment provider is away: nothing ends unconfirmed, the list says why, and all ends well after the return."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.provider_process import ProviderProcess
from tests.fleet.shops import Shop
from tests.proofs import page
from tests.proofs.outage import PAGE, SAGAS, Plan, play, stage

SHORT = Plan(away=12, deadline=8, every=0.8)


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shop, ProviderProcess]]:
    """A shop whose orders have little time, and its provider."""
    with stage(SHORT.deadline, tmp_path_factory.mktemp("outage")) as found:
        yield found


@pytest.mark.parametrize("silent", [False, True], ids=["gone", "silent"])
def test_nothing_ends_before_the_provider_has_confirmed_it(staged: tuple[Shop, ProviderProcess], silent: bool) -> None:
    """Of the orders some are older than their deadline when the provider returns, and some are not."""
    found = play(Plan(away=SHORT.away, deadline=SHORT.deadline, every=SHORT.every, silent=silent), *staged)
    assert found.unconfirmed == set()
    assert found.ended_meanwhile == 0
    assert found.ends.keys() == {"confirmed", "cancelled"}


def test_the_page_shows_what_the_long_form_saw() -> None:
    shown = page.block(PAGE.read_text())
    assert f"$ {' '.join(SAGAS)} list" in shown
    assert "every saga has ended" in shown


def test_a_page_is_rewritten_between_its_marks_only(tmp_path: Path) -> None:
    copy = tmp_path / "page.md"
    copy.write_text(PAGE.read_text())
    for text in ("first", "second\nand more"):
        page.rewrite(copy, text)
    before, after = PAGE.read_text().split(page.block(PAGE.read_text()))
    assert copy.read_text() == f"{before}\nsecond\nand more\n{after}"
