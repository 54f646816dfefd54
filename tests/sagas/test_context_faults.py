"""What the check of a context finds before any saga has begun."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, make_dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any
from uuid import UUID, uuid4

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.test import override_settings

from bandstand.sagas.context_faults import faults_of
from bandstand.sagas.contexts import Sensitive


class Currency(Enum):
    EUR = "EUR"


@dataclass(frozen=True)
class Line:
    sku: str
    price: float = 0.0


@dataclass(frozen=True)
class Tree:
    name: str
    branches: "tuple[Tree, ...]" = ()


@dataclass(frozen=True, kw_only=True)
class Sound:
    order: UUID
    total: Decimal
    at: datetime
    hold: timedelta | None = None
    tree: Tree = Tree("root")
    tags: list[str] = field(default_factory=list)
    stock: dict[UUID, int] = field(default_factory=dict)
    currency: Currency = Currency.EUR
    either: int | Decimal | None = None


def of(hint: Any, *default: Any) -> list[str]:
    return faults_of(make_dataclass("Context", [("total", hint, *default)], frozen=True))


def test_a_sound_context_has_no_faults():
    assert faults_of(Sound) == []


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (float, "Context.total is money in a float: use int in minor units, or Decimal"),
        (list[float] | None, "money in a float"),
        (tuple[Line, ...], "holds price, which is money in a float"),
        (Any, "can be anything"),
        (dict, "can be anything"),
        (list[Any], "can be anything"),
        (complex, "without a JSON form: complex"),
        (object, "without a JSON form: object"),
        (UUID | str, "more than one str-like type"),
        (dict[tuple[int, int], str], "keys have no JSON form"),
        (dict[str, dict[bytes, int]], "keys have no JSON form"),
        (Sequence[int], "abstract type.*list or tuple"),
        (list[Mapping[str, int]], "abstract type.*dict"),
        (Annotated[str, Sensitive] | None, "Sensitive marks a whole field"),
        ("Nowhere", "Nowhere"),
    ],
)
def test_a_type_that_does_not_survive_is_a_fault(hint, words):
    assert re.search(words, "\n".join(of(hint)))


@pytest.mark.parametrize(
    ("hint", "default", "words"),
    [
        (UUID, field(default_factory=uuid4), "has a default that differs each time"),
        (Decimal, 0.1, "has a default that does not fit its type"),
        (str, None, "has a default that does not fit its type"),
        (tuple[int, ...], field(default_factory=lambda: [1]), "has a default that does not come back as it is"),
    ],
)
def test_a_default_that_a_step_would_see_changed_is_a_fault(hint, default, words):
    assert any(fault.startswith(f"Context.total {words}") for fault in of(hint, default))


def test_a_context_that_can_be_written_to_is_a_fault():
    assert faults_of(make_dataclass("Loose", [("sku", str)])) == ["Loose is not frozen: write @dataclass(frozen=True)"]


@pytest.mark.parametrize("shape", [dict, int, Sound.__init__])
def test_what_is_no_dataclass_is_a_fault(shape):
    assert "a context is a frozen dataclass" in faults_of(shape)[0]


def test_all_faults_are_named_together():
    assert len(faults_of(make_dataclass("Bad", [("price", float), ("rest", Any)]))) == 3


@pytest.mark.parametrize(
    ("keys", "words"), [("", "has sensitive fields: .*SAGA_CONTEXT_KEYS"), ("short", "key 1 is no Fernet key")]
)
def test_sensitive_fields_without_a_usable_key_are_a_fault(keys, words):
    with override_settings(BANDSTAND=settings.BANDSTAND | {"SAGAS": {"CONTEXT_KEYS": keys}}):
        assert re.search(words, "\n".join(of(Annotated[str, Sensitive])))


def test_sensitive_fields_with_a_key_are_sound():
    key = Fernet.generate_key().decode()
    with override_settings(BANDSTAND=settings.BANDSTAND | {"SAGAS": {"CONTEXT_KEYS": key}}):
        assert of(Annotated[str, Sensitive]) == []
