"""Any value of any shape survives: written and read, and written, changed step by step, and read."""

from collections.abc import Iterator
from dataclasses import fields, make_dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, get_origin
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.test import override_settings
from hypothesis import HealthCheck, given
from hypothesis import settings as rounds
from hypothesis import strategies as st

from bandstand.sagas.context_faults import faults_of
from bandstand.sagas.contexts import Sensitive
from bandstand.sagas.encoding import changes_text, decode, encode, merged, redacted


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Size(IntEnum):
    SMALL = 1
    LARGE = 2


_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
_zones = st.builds(timezone, st.integers(-23 * 60, 23 * 60).map(lambda minutes: timedelta(minutes=minutes)))
_LEAVES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (str, _texts),
    (int, st.integers()),
    (bool, st.booleans()),
    (Decimal, st.decimals(allow_nan=False)),
    (UUID, st.uuids()),
    (datetime, st.datetimes(timezones=st.none() | _zones).map(lambda moment: moment.replace(fold=0))),
    (date, st.dates()),
    (timedelta, st.timedeltas()),
    (Colour, st.sampled_from(Colour)),
    (Size, st.sampled_from(Size)),
    (bytes, st.binary(max_size=20)),
]

Typed = tuple[Any, st.SearchStrategy[Any]]


@st.composite
def _typed(draw: st.DrawFn, depth: int = 2) -> Typed:
    """A type together with the strategy for its values."""
    kind = draw(st.sampled_from(["leaf", "leaf", "optional", "list", "tuple", "pair", "dict", "dataclass"]))
    if kind == "leaf" or depth == 0:
        return draw(st.sampled_from(_LEAVES))
    if kind == "dataclass":
        return draw(_shapes(depth - 1, marks=st.none()))
    hint, values = draw(_typed(depth - 1))
    if kind == "optional":
        return hint | None, st.none() | values
    if kind == "list":
        return list[hint], st.lists(values, max_size=3)
    if kind == "tuple":
        return tuple[hint, ...], st.lists(values, max_size=3).map(tuple)
    if kind == "pair":
        return tuple[hint, int], st.tuples(values, st.integers())
    key, keys = draw(st.sampled_from([leaf for leaf in _LEAVES if leaf[0] in (str, int, UUID, date, Colour)]))
    return dict[key, hint], st.dictionaries(keys, values, max_size=3)


@st.composite
def _shapes(draw: st.DrawFn, depth: int = 2, *, marks: st.SearchStrategy[Any]) -> Typed:
    """A frozen dataclass of one to five fields, some of them marked, and the strategy for its instances."""
    drawn = draw(st.lists(st.tuples(_typed(depth), marks), min_size=1, max_size=5))
    declared = {f"field_{n}": (Annotated[hint, mark] if mark else hint) for n, ((hint, _), mark) in enumerate(drawn)}
    values = {f"field_{n}": strategy for n, ((_, strategy), _) in enumerate(drawn)}
    shape = make_dataclass("Shape", list(declared.items()), frozen=True)
    return shape, st.builds(shape, **values)


_marks = st.sampled_from([None, None, Sensitive, Sensitive(keep=False)])


@pytest.fixture(autouse=True, scope="module")
def _keys() -> Iterator[None]:
    key = Fernet.generate_key().decode()
    with override_settings(BANDSTAND=settings.BANDSTAND | {"SAGAS": {"CONTEXT_KEYS": key}}):
        yield


_calm = rounds(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def _exactly(value: Any) -> str:
    """Equal values that a program could tell apart differ here: exponents, offsets, the kind of a sequence."""
    return repr(value)


@_calm
@given(st.data())
def test_any_value_of_any_shape_survives(data: st.DataObject) -> None:
    shape, values = data.draw(_shapes(marks=_marks))
    value = data.draw(values)
    assert faults_of(shape) == []
    assert _exactly(decode(encode(value), shape)) == _exactly(value)


@_calm
@given(st.data())
def test_any_change_of_any_value_survives(data: st.DataObject) -> None:
    shape, values = data.draw(_shapes(marks=_marks))
    first, second = data.draw(values), data.draw(values)
    names = data.draw(st.lists(st.sampled_from([one.name for one in fields(shape)]), unique=True))
    changes = {name: getattr(second, name) for name in names}
    expected = shape(**{one.name: changes.get(one.name, getattr(first, one.name)) for one in fields(shape)})
    text = encode(first)
    assert _exactly(decode(merged(text, changes, shape), shape)) == _exactly(expected)
    assert _exactly(decode(merged(text, second, shape), shape)) == _exactly(second)
    assert merged(text, first, shape) is text


@_calm
@given(st.data())
def test_the_history_holds_the_names_and_people_see_no_secret(data: st.DataObject) -> None:
    shape, values = data.draw(_shapes(marks=_marks))
    value = data.draw(values)
    shown = redacted(changes_text(value, shape))
    assert list(shown) == [one.name for one in fields(shape)]
    assert {name for name, part in shown.items() if part == "•••"} >= {
        one.name for one in fields(shape) if get_origin(one.type) is Annotated
    }
