"""Typed contexts: what comes back, what a release may change, what is refused before it is stored."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from uuid import UUID

import pytest

from bandstand.sagas.contexts import ContextMismatch
from bandstand.sagas.encoding import changes_text, decode, encode, merged, redacted

ORDER = UUID("018f4e1c-0000-7000-8000-000000000001")


class Currency(Enum):
    EUR = "EUR"
    USD = "USD"


@dataclass(frozen=True)
class Line:
    sku: str
    price: Decimal


@dataclass(frozen=True, kw_only=True)
class Checkout:
    order: UUID
    total: Decimal
    at: datetime
    lines: tuple[Line, ...] = ()
    tags: list[str] = field(default_factory=list)
    hold: timedelta | None = None
    day: date | None = None
    currency: Currency = Currency.EUR


FULL = Checkout(
    order=ORDER,
    total=Decimal("12.50"),
    at=datetime(2026, 3, 1, 9, 30, 0, 5, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    lines=(Line("a", Decimal("1E+2")), Line("b", Decimal("-0.00"))),
    tags=["gift"],
    hold=timedelta(days=-1, microseconds=3),
    day=date(2026, 3, 2),
    currency=Currency.USD,
)


@dataclass(frozen=True)
class Span:
    first: int
    last: int

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise ValueError("the first is behind the last")


def test_every_type_comes_back_as_it_was():
    back = decode(encode(FULL), Checkout)
    assert back == FULL
    assert back.at.utcoffset() == timedelta(hours=5, minutes=30)


@pytest.mark.parametrize("text", ["1.50", "1E+2", "-0.00", "0.1000000000000000055511151231257827", "NaN"])
def test_a_decimal_keeps_its_exponent(text):
    after = merged(encode(FULL), {"total": Decimal(text)}, Checkout)
    assert str(decode(after, Checkout).total) == text


def test_without_a_shape_a_context_is_a_dict_of_json_values():
    text = encode({"order": ORDER, "total": Decimal("1.50"), "lines": ("a",)})
    assert decode(text) == {"order": str(ORDER), "total": "1.50", "lines": ["a"]}


def test_a_mapping_for_a_shape_gets_its_defaults_once():
    text = encode({"order": ORDER, "total": Decimal(1), "at": FULL.at}, Checkout)
    assert decode(text)["currency"] == "EUR"
    assert decode(text, Checkout) == Checkout(order=ORDER, total=Decimal(1), at=FULL.at)


def test_a_mapping_without_a_required_field_is_refused_at_the_start():
    with pytest.raises(TypeError, match=r"Checkout.*missing required field `at`"):
        encode({"order": ORDER, "total": Decimal(1)}, Checkout)


def test_a_field_added_with_a_default_reads_contexts_begun_before_it():
    assert decode(f'{{"order":"{ORDER}","total":"1","at":"2026-03-01T00:00:00Z"}}', Checkout).lines == ()


def test_a_field_of_a_newer_release_is_ignored_and_kept():
    newer = encode(FULL)[:-1] + ',"coupon":{"code" : "x"}}'
    assert decode(newer, Checkout) == FULL
    assert decode(merged(newer, {"total": Decimal(1)}, Checkout))["coupon"] == {"code": "x"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"order":"018f4e1c-0000-7000-8000-000000000001","total":"1"}', "Checkout: .*missing required field `at`"),
        ('{"order":"x","total":"1","at":"2026-03-01T00:00:00Z"}', r"Checkout: Invalid UUID - at `\$.order`"),
        ("[]", "Checkout: Expected `object`"),
        ("{", "Checkout: Input data was truncated"),
    ],
)
def test_a_context_that_does_not_fit_its_shape_names_the_field(text, words):
    with pytest.raises(ContextMismatch, match=words):
        decode(text, Checkout)


def test_a_step_changes_the_fields_that_it_returns():
    after = decode(merged(encode(FULL), {"total": Decimal("9.00"), "tags": ["a", "b"]}, Checkout), Checkout)
    assert (after.total, after.tags, after.lines) == (Decimal("9.00"), ["a", "b"], FULL.lines)


def test_a_step_may_return_a_whole_instance():
    other = Checkout(order=ORDER, total=Decimal(2), at=FULL.at)
    assert decode(merged(encode(FULL), other, Checkout), Checkout) == other


@pytest.mark.parametrize(
    ("shape", "changes"),
    [
        (Checkout, None),
        (Checkout, {}),
        (Checkout, FULL),
        (Checkout, {"total": Decimal("12.50")}),
        (None, {"tags": ["gift"]}),
    ],
)
def test_the_same_text_follows_when_nothing_changed(shape, changes):
    text = encode(FULL)
    assert merged(text, changes, shape) is text


def test_another_exponent_is_a_change():
    text = encode(FULL)
    assert decode(merged(text, {"total": Decimal("12.5")}, Checkout))["total"] == "12.5"


def test_a_step_without_a_shape_adds_what_it_likes():
    assert decode(merged('{"a":1}', {"b": ORDER, "a": [2]})) == {"a": [2], "b": str(ORDER)}


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"totl": Decimal(1)}, TypeError, "Checkout has no field 'totl'; it has: order, total"),
        ({"order": "nonsense"}, TypeError, "Checkout.order: Invalid UUID"),
        ({"lines": ({"sku": "a"},)}, TypeError, "Checkout.lines: .*missing required field `price`"),
        ({"total": 0.1}, ValueError, "Checkout.total: is a float"),
        ({"lines": [Line("a", 0.1)]}, ValueError, "Checkout.lines: is a float"),
        ({"tags": ["\x00"]}, ValueError, "tags: a NUL character"),
        ({"tags": ["\ud800"]}, ValueError, "Checkout.tags: is no valid Unicode"),
        ({"at": FULL.at.replace(tzinfo=timezone(timedelta(seconds=61)))}, ValueError, "Checkout.at: .*no whole minute"),
        ({"tags": [object()]}, TypeError, "Checkout.tags: .*object"),
        (Span(1, 2), TypeError, "Checkout, got Span"),
        (True, TypeError, "got bool"),
    ],
)
@pytest.mark.parametrize(
    "write", [lambda changes: merged(encode(FULL), changes, Checkout), lambda c: changes_text(c, Checkout)]
)
def test_what_would_not_come_back_is_refused_by_name(write, changes, error, words):
    with pytest.raises(error, match=words):
        write(changes)


def _endless() -> list[object]:
    found: list[object] = []
    found.append(found)
    return found


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (float("nan"), ValueError, "rate: is no finite number"),
        ([{"deep": float("inf")}], ValueError, "rate: is no finite number"),
        (object(), TypeError, "rate: .*object"),
        ("\x00", ValueError, "rate: a NUL character"),
        (_endless(), ValueError, "rate: contains itself"),
    ],
)
def test_a_mapping_is_refused_by_the_name_of_its_field(value, error, words):
    with pytest.raises(error, match=words):
        encode({"fine": 1, "rate": value})


@pytest.mark.parametrize("context", [7, None, [("a", 1)], {1: 2}, Checkout])
def test_what_is_no_mapping_of_names_is_no_context(context):
    with pytest.raises(TypeError):
        encode(context)


def test_the_text_of_an_escaped_nul_is_no_nul():
    assert decode(encode({"regex": r"\u0000", "path": "\\\\u0000"})) == {"regex": r"\u0000", "path": "\\\\u0000"}


def test_a_check_of_the_class_holds_for_what_a_step_changes():
    text = encode(Span(1, 5))
    assert decode(merged(text, {"first": 4}, Span), Span) == Span(4, 5)
    with pytest.raises(ValueError, match=r"Span: the first is behind the last"):
        merged(text, {"first": 6}, Span)


def test_the_history_holds_only_what_the_step_returned():
    assert changes_text({"total": Decimal("9.00")}, Checkout) == '{"total":"9.00"}'
    assert changes_text({"any": ORDER}, None) == f'{{"any":"{ORDER}"}}'
    assert changes_text(None, Checkout) == "{}"


def test_a_display_shows_plain_values_as_they_are():
    assert redacted('{"total":"9.00","lines":[]}') == {"total": "9.00", "lines": []}


def test_text_from_the_database_is_read_whatever_its_order_and_spaces():
    text = f'{{"at": "2026-03-01T00:00:00Z", "total": "1.0", "order": "{ORDER}"}}'
    assert decode(text, Checkout).at == datetime(2026, 3, 1, tzinfo=UTC)
