"""Compatible means: real decoders read it. The properties hold the verdicts against msgspec itself."""

from dataclasses import field, make_dataclass
from datetime import UTC, date, datetime
from itertools import count
from typing import Annotated, Any, Literal, get_args, get_origin
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandstand.events import Event
from bandstand.events.compatibility import evolution, misfits, paths
from bandstand.events.contracts import schema_of

_PLAIN = [
    str, int, float, bool, UUID, datetime, date, Any, Literal["a", "b"], Literal["a", "b", "c"], Literal[1, 2],
    Annotated[int, msgspec.Meta(ge=0)], Annotated[str, msgspec.Meta(max_length=5)],
]  # fmt: skip
_numbers = count()  # msgspec tells classes apart by their names
_NAMES = st.text("xyz", min_size=1, max_size=2)


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        inner.map(lambda type_: list[type_]),  # type: ignore[valid-type]
        inner.map(lambda type_: dict[str, type_]),  # type: ignore[valid-type]
        inner.map(lambda type_: type_ | None if type_ is not Any else Any),
        st.tuples(inner, inner).map(lambda pair: tuple[pair[0], pair[1]]),
        fields(inner).map(lambda found: make_dataclass(f"Part{next(_numbers)}", _ordered(found))),
    )


def fields(types: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, tuple[Any, bool]]]:
    """Names with their type and whether they must be there."""
    return st.dictionaries(_NAMES, st.tuples(types, st.booleans()), max_size=4)


TYPES = st.recursive(st.sampled_from(_PLAIN), _nested, max_leaves=4)


def _ordered(found: dict[str, tuple[Any, bool]]) -> list[Any]:
    given_ = [(name, type_) for name, (type_, is_required) in found.items() if is_required]
    return given_ + [(name, type_ | None if type_ is not Any else Any, field(default=None))
                     for name, (type_, is_required) in found.items() if not is_required]  # fmt: skip


def event(found: dict[str, tuple[Any, bool]]) -> type[Event]:
    """An event class with these fields."""
    ordered = _ordered(found)
    body = {each[0]: None for each in ordered if len(each) == 3}
    annotations = {"subject": str, **{each[0]: each[1] for each in ordered}}
    return type("Thing", (Event,), {"__annotations__": annotations, "__module__": __name__, **body}, name="a.thing.v1")


def value_of(type_: Any) -> st.SearchStrategy[Any]:
    """JSON values of a type, as an encoder writes them."""
    if type_ in _SIMPLE:
        return _SIMPLE[type_]
    if hasattr(type_, "__dataclass_fields__"):
        return value_of_fields({name: each.type for name, each in type_.__dataclass_fields__.items()})
    make = _GENERIC.get(get_origin(type_), lambda *arguments: st.one_of(*map(value_of, arguments)))
    return make(*get_args(type_))


_GENERIC: dict[Any, Any] = {
    Literal: lambda *values: st.sampled_from(values),
    Annotated: lambda type_, _: st.integers(0, 9) if type_ is int else st.text(max_size=5),
    list: lambda item: st.lists(value_of(item), max_size=2),
    dict: lambda _, value: st.dictionaries(st.text(max_size=2), value_of(value), max_size=2),
    tuple: lambda *items: st.tuples(*map(value_of, items)).map(list),
}
_SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=8),
    int: st.integers(-(2**40), 2**40),
    float: st.one_of(st.integers(-9, 9), st.floats(allow_nan=False, allow_infinity=False)),
    bool: st.booleans(),
    UUID: st.uuids().map(str),
    datetime: st.just(datetime(2026, 1, 1, tzinfo=UTC).isoformat()),
    date: st.just("2026-01-01"),
    type(None): st.none(),
    Any: st.one_of(st.none(), st.integers(-9, 9), st.text(max_size=3)),
}


def value_of_fields(types: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object with a value for every field: encoders write defaults too."""
    return st.fixed_dictionaries({name: value_of(type_) for name, type_ in types.items()})


def data_of(cls: type[Event]) -> st.SearchStrategy[bytes]:
    """The data of events of a class."""
    return value_of_fields(cls.__annotations__).map(msgspec.json.encode)


@settings(max_examples=100)
@given(st.data(), fields(TYPES), fields(TYPES))
def test_a_consumer_without_misfits_decodes_every_event_of_its_publisher(data, published, also) -> None:
    chosen = data.draw(st.sets(st.sampled_from(sorted(published)))) if published else set()
    # Half of what is read is what is published, so that the verdict is not always the same.
    wanted = event({**(also if data.draw(st.booleans()) else {}), **{name: published[name] for name in chosen}})
    publisher = event(published)
    if not misfits(schema_of(publisher), schema_of(wanted)):
        wanted.decoded(data.draw(data_of(publisher)))


@settings(max_examples=100)
@given(st.data(), fields(TYPES), fields(TYPES), st.booleans())
def test_old_events_decode_under_every_compatible_schema_and_new_ones_under_the_old(data, before, more, drop) -> None:
    kept = dict(list(before.items())[1:]) if drop else before
    old, new = event(before), event({**more, **kept})
    if not evolution(schema_of(old), schema_of(new)):
        new.decoded(data.draw(data_of(old)))
        old.decoded(data.draw(data_of(new)))


@given(fields(TYPES), fields(TYPES))
def test_optional_additions_are_always_compatible(before, more) -> None:
    added = {name: (type_, False) for name, (type_, _) in more.items()}
    assert evolution(schema_of(event(before)), schema_of(event({**added, **before}))) == []


@given(fields(TYPES))
def test_a_removed_field_is_always_told(before) -> None:
    for name in before:
        fewer = {each: kind for each, kind in before.items() if each != name}
        found = evolution(schema_of(event(before)), schema_of(event(fewer)))
        assert [change.field for change in found] == [name]


def changes(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """The sentences about required fields of these types."""
    before, after = ({name: (type_, True) for name, type_ in each.items()} for each in (old, new))
    return [f"{each.field} {each.what}" for each in evolution(schema_of(event(before)), schema_of(event(after)))]


UNPROMISED = "consumers were never promised that"
Price = make_dataclass("Price", [("amount", int), ("currency", str)])
Sum = make_dataclass("Sum", [("cents", int), ("currency", str)])


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ({"total": int}, {"amount": int}, ["total was removed; is 'amount' its new name?"]),
        ({"total": int}, {}, ["total was removed"]),
        ({}, {"total": int}, ["total is required, but events already published lack it"]),
        ({"a": str}, {"a": UUID}, ["a narrowed from string to uuid: events already published need not fit"]),
        ({"a": int}, {"a": int | None}, [f"a widened from integer to integer or null: {UNPROMISED}"]),
        ({"a": int}, {"a": str}, ["a changed from integer to string"]),
        ({"a": Price}, {"a": Sum}, ["a.amount was removed; is 'a.cents' its new name?"]),
        ({"a": list[Price]}, {"a": list[Sum]}, ["a[].amount was removed; is 'a[].cents' its new name?"]),
    ],
)  # fmt: skip
def test_a_change_is_told_by_field(old, new, told) -> None:
    assert changes(old, new) == told


def test_a_field_that_becomes_optional_is_told() -> None:
    found = evolution(schema_of(event({"a": (Any, True)})), schema_of(event({"a": (Any, False)})))
    assert [each.what for each in found] == ["was in every event and may now be absent"]


def test_another_subject_is_told() -> None:
    class Before(Event, name="a.thing.v1", subject="one"):
        one: str
        two: str

    class After(Event, name="a.thing.v1", subject="two"):
        one: str
        two: str

    (change,) = evolution(schema_of(Before), schema_of(After))
    assert (change.field, change.what) == ("one", "is the subject no longer, but 'two'")


class Node(Event, name="a.node.v1"):
    """A recursive type."""

    name: str
    children: "list[Node]"


def test_recursive_types_are_compared_and_listed() -> None:
    assert misfits(schema_of(Node), schema_of(Node)) == []
    assert paths(schema_of(Node)) == ["name", "children", "children[].name", "children[].children"]
