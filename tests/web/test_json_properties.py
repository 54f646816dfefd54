"""Strict reading, against the standard library's reader over generated texts."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bandstand.errors import ValidationFailed
from bandstand.web.parsers import LARGEST_INTEGER, SMALLEST_INTEGER, parse_json

text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
keys = st.sampled_from(["a", "b", ":", '"', "\\", "a:", "{", "[", "é", "\\u0061"]) | text
values = st.recursive(
    st.none() | st.booleans() | st.integers(SMALLEST_INTEGER, LARGEST_INTEGER) | st.floats(-1e9, 1e9) | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)


class Twice(Exception):
    """A key is there twice."""


def standard(body: bytes) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) != len(pairs):
            raise Twice
        return dict(pairs)

    return json.loads(body, object_pairs_hook=once)


@given(values, st.booleans(), st.sampled_from([None, 1]))
def test_what_is_written_is_read_back(value: Any, ascii_only: bool, indent: int | None) -> None:
    assert parse_json(json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()) == value


@given(st.lists(st.tuples(keys, values), max_size=5), st.booleans())
def test_a_key_that_is_there_twice_is_found_and_no_other(pairs: list[tuple[str, Any]], ascii_only: bool) -> None:
    def written(value: Any) -> str:
        return json.dumps(value, ensure_ascii=ascii_only)

    body = ("[{" + ",".join(f"{written(key)}:{written(value)}" for key, value in pairs) + "}]").encode()
    try:
        expected: Any = standard(body)
    except Twice:
        expected = Twice
    try:
        found: Any = parse_json(body)
    except ValidationFailed:
        found = Twice
    assert found == expected


@given(st.binary(max_size=64) | st.text('{}[]":,\\u0a1-.eE truefalsn\n', max_size=64).map(str.encode))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        found = parse_json(body)
    except ValidationFailed:
        return
    assert found == standard(body)
