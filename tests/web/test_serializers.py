"""Serializers shared by all requests of a process read and write what those made anew do."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from rest_framework import serializers as rest

from bandstand.web.fields import MoneyField, TextField
from bandstand.web.serializers import StrictSerializer
from tests.web.api import Line, PlaceOrder


class Item(StrictSerializer):
    """A line with its price."""

    name = TextField()
    price = MoneyField(columns=("price", "currency"))


class Basket(StrictSerializer):
    """Lines under a name."""

    owner = TextField()
    lines = Item(many=True)


def basket(number: int) -> Any:
    lines = [SimpleNamespace(name=f"Chair {each}", price=number, currency="EUR") for each in range(number)]
    return SimpleNamespace(owner=f"Ann {number}", lines=lines)


def body(number: int) -> dict[str, Any]:
    return {"items": [{"product_id": str(uuid4()), "quantity": each + 1} for each in range(number)]}


def refusal(data: Any, *, shared: bool) -> Any:
    with pytest.raises(rest.ValidationError) as refused:
        PlaceOrder.read(data) if shared else PlaceOrder(data=data).is_valid(raise_exception=True)
    return refused.value.detail


def test_answers_are_the_same() -> None:
    for number in (2, 0, 5):
        assert Basket.present(basket(number)) == Basket(basket(number)).data


def test_bodies_are_read_the_same() -> None:
    for number in (1, 3):
        made_anew = PlaceOrder(data=(data := body(number)))
        made_anew.is_valid(raise_exception=True)
        assert PlaceOrder.read(data) == made_anew.validated_data
        assert isinstance(PlaceOrder.read(data)["items"][0]["product_id"], UUID)


@pytest.mark.parametrize(
    "data",
    [None, [], {}, {"items": [{"product_id": "x", "quantity": 0}]}, {"items": [], "owner": "me"}, {"items": [{}, 3]}],
)
def test_bodies_are_refused_the_same(data: Any) -> None:
    assert refusal(data, shared=True) == refusal(data, shared=False)


def test_a_refusal_leaves_nothing_behind() -> None:
    refusal({"items": [{"product_id": "x"}]}, shared=True)
    assert len(PlaceOrder.read(body(2))["items"]) == 2


def test_threads_share_them() -> None:
    with ThreadPoolExecutor(8) as pool:
        read = pool.map(lambda number: len(PlaceOrder.read(body(number))["items"]), [1, 2, 3, 4] * 50)
        shown = pool.map(lambda number: len(Basket.present(basket(number))["lines"]), [1, 2, 3, 4] * 50)
    assert list(read) == list(shown) == [1, 2, 3, 4] * 50


def test_each_class_has_its_own() -> None:
    class Wider(Line):
        """A line with a note."""

        note = TextField()

    line = {"product_id": str(uuid4()), "quantity": 1}
    assert Line.read(line).keys() == {"product_id", "quantity"}
    assert Wider.read(line | {"note": "x"}).keys() == {"product_id", "quantity", "note"}
