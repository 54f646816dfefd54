"""Orders of earlier releases take the same way through the saga of today."""

from pathlib import Path

import pytest

from bandstand.testing.sagas import replay
from orders.sagas import OrderProcessingSaga

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))


@pytest.mark.parametrize("history", HISTORIES, ids=lambda file: file.stem)
def test_orders_of_earlier_releases_take_the_same_way(history: Path) -> None:
    replay(history, OrderProcessingSaga)


def test_there_are_histories_of_every_kind_of_end() -> None:
    assert {file.stem for file in HISTORIES} >= {"v1-confirmed", "v1-declined", "v1-payment-unanswered", "v1-cancelled"}
