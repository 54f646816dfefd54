"""Serializer fields that take a JSON value of their own type or refuse it: nothing is coerced.

REST framework's fields read `"1"`, `1.0` and `true` as the integer 1, `0` as false, `12` as the text "12".
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rest_framework import serializers as rest

from bandstand import clock
from bandstand.web.parsers import LARGEST_INTEGER, SMALLEST_INTEGER

__all__ = [
    "LARGEST_AMOUNT",
    "BooleanField",
    "ChoiceField",
    "DateField",
    "DateTimeField",
    "EmailField",
    "IntegerField",
    "Money",
    "MoneyField",
    "RegexField",
    "SlugField",
    "StrictText",
    "TextField",
    "URLField",
    "UUIDField",
]

LARGEST_AMOUNT = 2**53
"""The largest amount of money in minor units: beyond it JavaScript and other readers of doubles lose units."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})")
_CURRENCY = re.compile(r"[A-Z]{3}")
_LONGEST_TEXT = 10_000


class StrictText:
    """A mixin for fields that are read from text only."""

    def run_validation(self, data: Any = rest.empty) -> Any:
        """Refuse every JSON value but a string (and null, which the field itself judges)."""
        if data is not rest.empty and data is not None and not isinstance(data, str):
            raise rest.ValidationError("Expected a string.", code="invalid")
        return super().run_validation(data)  # type: ignore[misc]


class TextField(StrictText, rest.CharField):
    """Text; at most 10,000 characters where nothing else is said."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", _LONGEST_TEXT)
        super().__init__(**kwargs)


class EmailField(StrictText, rest.EmailField):
    """An e-mail address, at most the 254 characters that SMTP carries."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 254)
        super().__init__(**kwargs)


class RegexField(StrictText, rest.RegexField):
    """Text that matches a pattern."""


class SlugField(StrictText, rest.SlugField):
    """Letters, digits, `-` and `_`."""


class URLField(StrictText, rest.URLField):
    """An absolute URL."""


class ChoiceField(StrictText, rest.ChoiceField):
    """One of some texts."""


class UUIDField(StrictText, rest.UUIDField):
    """An id in its canonical form with dashes."""

    def to_internal_value(self, data: Any) -> Any:
        """Read the canonical form only: `uuid.UUID` also takes braces, a URN, and dashes anywhere."""
        if not _UUID.fullmatch(data):
            self.fail("invalid", value=data[:64])
        return super().to_internal_value(data)


class DateField(StrictText, rest.DateField):
    """A day as `YYYY-MM-DD`."""

    def to_internal_value(self, value: Any) -> Any:
        """Read that form only: `date.fromisoformat` also takes weeks and other digits."""
        if not _DATE.fullmatch(value):
            self.fail("invalid", format="YYYY-MM-DD")
        return super().to_internal_value(value)


class DateTimeField(StrictText, rest.DateTimeField):
    """A moment as RFC 3339 with an offset; written in UTC with `Z` and milliseconds."""

    def to_internal_value(self, value: Any) -> Any:
        """Read that form only: without an offset a time is not a moment."""
        if not _TIME.fullmatch(value):
            self.fail("invalid", format="YYYY-MM-DDThh:mm:ss[.uuuuuu]Z")
        return super().to_internal_value(value)

    def to_representation(self, value: Any) -> Any:
        """Write it as the whole fleet writes time."""
        return clock.rfc3339(value) if isinstance(value, datetime) else value


class IntegerField(rest.IntegerField):
    """An integer within 64 bits where nothing narrower is said."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("min_value", SMALLEST_INTEGER)
        kwargs.setdefault("max_value", LARGEST_INTEGER)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> int:
        """Take a JSON integer; `1.0`, `"1"` and `true` are none."""
        if type(data) is not int:
            self.fail("invalid")
        return int(data)


class BooleanField(rest.BooleanField):
    """`true` or `false`."""

    def to_internal_value(self, data: Any) -> bool:
        """Take a JSON boolean; `1`, `"yes"` and `"true"` are none."""
        if type(data) is not bool:
            self.fail("invalid", input=str(data)[:64])
        return bool(data)


@dataclass(frozen=True, kw_only=True, slots=True)
class Money:
    """An amount in minor units of an ISO 4217 currency, as `MoneyField` reads it."""

    amount: int
    currency: str


class MoneyField(rest.Field[Any, Any, Any, Any]):
    """`{"amount": 1999, "currency": "EUR"}`, read as `Money`.

    Written from any object with `amount` and `currency`; with *amount_field* (and *currency_field*) from these
    attributes of the instance itself, so that a model keeps plain columns.
    """

    default_error_messages = {
        "shape": "Expected an object with exactly amount and currency.",
        "amount": "Expected an integer of minor units from {least} to {most}.",
        "currency": "Expected an ISO 4217 code the shop trades in.",
    }

    def __init__(
        self,
        *,
        least: int = 0,
        most: int = LARGEST_AMOUNT,
        currencies: tuple[str, ...] = (),
        columns: tuple[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        self.least, self.most, self.currencies, self.columns = least, most, currencies, columns
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Money:
        """Refuse other keys, amounts that are no bounded integers, and unknown currencies."""
        if not isinstance(data, dict) or data.keys() != {"amount", "currency"}:
            self.fail("shape")
        amount, currency = data["amount"], data["currency"]
        if type(amount) is not int or not self.least <= amount <= self.most:
            self.fail("amount", least=self.least, most=self.most)
        known = isinstance(currency, str) and _CURRENCY.fullmatch(currency)
        if not known or (self.currencies and currency not in self.currencies):
            self.fail("currency")
        return Money(amount=amount, currency=currency)

    def get_attribute(self, instance: Any) -> Any:
        """The instance itself where columns hold the money, else the attribute named like the field."""
        return instance if self.columns else super().get_attribute(instance)

    def to_representation(self, value: Any) -> dict[str, Any]:
        """Write amount and currency."""
        amount, currency = self.columns or ("amount", "currency")
        return {"amount": getattr(value, amount), "currency": getattr(value, currency)}
