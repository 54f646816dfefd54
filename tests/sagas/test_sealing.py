"""Sensitive fields: sealed at rest, opened by rotated keys, never lost for want of one, never shown."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Annotated

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.test import override_settings

from bandstand.config import Secret
from bandstand.sagas.config import SagasConfig
from bandstand.sagas.contexts import ContextMismatch, ContextSealed, Sensitive
from bandstand.sagas.encoding import changes_text, decode, encode, merged, redacted

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
NUMBER, CODE = "4111111111111111", 317


class Brand(Enum):
    VISA = "visa"


@dataclass(frozen=True)
class Payment:
    amount: int
    card: Annotated[str, Sensitive] = ""
    code: Annotated[int | None, Sensitive(keep=False)] = None
    brand: Annotated[Brand, Sensitive] = Brand.VISA


@dataclass(frozen=True)
class Plain:
    amount: int
    card: str = ""


PAID = Payment(5, NUMBER, CODE)


@contextmanager
def keys(*wanted: str) -> Iterator[None]:
    with override_settings(BANDSTAND=settings.BANDSTAND | {"SAGAS": {"CONTEXT_KEYS": Secret(",".join(wanted))}}):
        yield


@pytest.fixture(autouse=True)
def _configured() -> Iterator[None]:
    with keys(OLD):
        yield


def test_a_sensitive_value_is_unreadable_in_the_text_and_comes_back():
    text = encode(PAID)
    assert NUMBER not in text
    assert str(CODE) not in str(redacted(text))
    assert "visa" not in text
    assert decode(text, Payment) == PAID


def test_a_mapping_for_a_shape_is_sealed_too():
    text = encode({"amount": 5, "card": NUMBER}, Payment)
    assert NUMBER not in text
    assert decode(text, Payment) == Payment(5, NUMBER)


def test_the_history_holds_a_value_sealed_or_not_at_all():
    output = changes_text({"amount": 6, "card": NUMBER, "code": CODE}, Payment)
    held = decode(output)
    assert NUMBER not in output
    assert held["card"]["$sealed"].count(":") == 1
    assert held["code"] == {"$sealed": None}
    assert redacted(output) == {"amount": 6, "card": "•••", "code": "•••"}


def test_a_value_that_was_left_out_is_not_made_up():
    with pytest.raises(ContextSealed, match=r"Payment.code was left out of the history"):
        decode(changes_text(PAID, Payment), Payment)


def test_what_a_step_does_not_touch_stays_sealed_as_it_is():
    text = encode(PAID)
    before, after = decode(text), decode(merged(text, {"amount": 6}, Payment))
    assert after == before | {"amount": 6}


def test_a_changed_value_is_sealed_anew():
    after = merged(encode(PAID), {"card": "4000"}, Payment)
    assert "4000" not in after.partition("$sealed")[0]
    assert decode(after, Payment).card == "4000"


@pytest.mark.parametrize("changes", [PAID, {"card": NUMBER}])
def test_an_equal_value_is_no_change(changes):
    text = encode(PAID)
    assert merged(text, changes, Payment) is text


def test_the_first_key_writes_and_all_keys_read():
    text = encode(PAID)
    with keys(NEW, OLD):
        assert decode(text, Payment) == PAID
        after = merged(text, {"card": "4000"}, Payment)
    with keys(NEW), pytest.raises(ContextSealed, match=r"Payment\.code"):
        decode(after, Payment)  # the card is under the new key, the code still under the old one
    with keys(NEW):
        assert decode(merged(after, {"amount": 6}, Payment))["amount"] == 6


def test_a_missing_key_is_named_and_nothing_is_lost():
    text = encode(PAID)
    with keys(NEW), pytest.raises(ContextSealed) as caught:
        decode(text, Payment)
    with keys(OLD):
        key_id = decode(text)["card"]["$sealed"].partition(":")[0]
        assert decode(text, Payment) == PAID
    assert f"Payment.card is sealed with the key {key_id}; BANDSTAND['SAGAS']['CONTEXT_KEYS'] holds:" in str(
        caught.value
    )
    assert OLD not in str(caught.value)
    assert NEW not in str(caught.value)


@pytest.mark.parametrize(("configured", "words"), [("", "holds no key"), (f"{OLD},short", "key 2 is no Fernet key")])
def test_without_a_usable_key_nothing_sensitive_is_written(configured, words):
    with keys(configured), pytest.raises(ContextSealed, match=words):
        encode(PAID)


def test_a_changed_token_is_noticed():
    text = encode(PAID)
    token = decode(text)["card"]["$sealed"]
    with pytest.raises(ContextSealed, match=r"Payment\.card was changed"):
        decode(text.replace(token, token[:-8] + "AAAAAAA="), Payment)


def test_a_value_written_before_its_field_was_marked_is_read_and_hidden():
    text = encode(Plain(5, NUMBER))
    assert decode(text, Payment).card == NUMBER
    assert redacted(text, Payment)["card"] == "•••"
    assert NUMBER in merged(text, {"amount": 6}, Payment)
    assert NUMBER not in merged(text, {"card": "4000"}, Payment)


@pytest.mark.parametrize("text", ["{", "[]", "7", '{"card":'])
def test_a_text_that_is_no_context_is_a_mismatch(text):
    with pytest.raises(ContextMismatch, match="the context Payment"):
        decode(text, Payment)


def test_a_sealed_value_whose_mark_was_taken_away_is_named():
    with pytest.raises(ContextMismatch, match=r"Plain.*sealed, but not marked Sensitive: card"):
        decode(encode(PAID), Plain)


def test_a_stranger_cannot_pass_for_a_sealed_value():
    """A plain dict that looks sealed is data: only marked fields are opened."""

    @dataclass(frozen=True)
    class Noted:
        note: dict[str, str]

    noted = Noted({"$sealed": "deadbeef:token"})
    assert decode(encode(noted), Noted) == noted


@pytest.mark.parametrize("changes", [{"brand": "4111-visa"}, {"card": object()}])
def test_a_refused_value_is_not_repeated_in_the_error(changes):
    with pytest.raises(TypeError) as caught:
        merged(encode(PAID), changes, Payment)
    assert "4111" not in str(caught.value)


def test_a_check_of_a_class_with_secrets_does_not_repeat_them():
    @dataclass(frozen=True)
    class Checked:
        pin: Annotated[str, Sensitive]

        def __post_init__(self) -> None:
            if len(self.pin) != 4:
                raise ValueError(f"{self.pin} is no PIN")

    with pytest.raises(ValueError, match=r"Checked: its own check raised ValueError") as caught:
        merged(encode(Checked("1234")), {"pin": "98765"}, Checked)
    assert "98765" not in str(caught.value)


def test_an_undecodable_secret_is_not_repeated_in_the_error():
    @dataclass(frozen=True)
    class Later:
        amount: int
        card: Annotated[Brand, Sensitive]

    with pytest.raises(ContextMismatch) as caught:
        decode(encode(PAID), Later)
    assert "card" in str(caught.value)
    assert NUMBER not in str(caught.value)


def test_the_keys_do_not_show_in_the_configuration():
    assert OLD not in repr(SagasConfig(context_keys=OLD))
    assert SagasConfig(context_keys=Secret(f" {NEW}, {OLD},")).sealing_keys == (NEW, OLD)


def _alias() -> type:
    @dataclass(frozen=True)
    class Half:
        card: Annotated[str, Sensitive] | None = None

    return Half


def _nested() -> type:
    @dataclass(frozen=True)
    class Outer:
        payments: list[Payment]

    return Outer


@pytest.mark.parametrize("shape", [_alias(), _nested()])
def test_a_mark_that_would_not_be_heeded_is_refused(shape):
    with pytest.raises(TypeError, match="Sensitive marks a whole field"):
        decode("{}", shape)
