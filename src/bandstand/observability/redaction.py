"""What must not reach a log: credentials and card numbers vanish, personal data becomes a keyed fingerprint.

Three classes of field, told by name: secret (masked), personal (fingerprinted: one person's lines can still be
joined, the person cannot be read), everything else (searched for values that look like the first two).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from math import isfinite
from typing import Any, ClassVar
from uuid import UUID

from bandstand.config import section

__all__ = ["MASK", "LogConfig", "clean", "clean_text", "fingerprint"]

MASK = "[redacted]"
_TEXT_LIMIT, _ITEM_LIMIT, _DEPTH_LIMIT = 16_384, 100, 6

_SECRET = re.compile(
    r"passw|secret|token|authori[sz]ation|cookie|api_?key|private_?key|signing_?key|credential|card_?number|cvv|cvc|iban"
)
_PERSONAL = re.compile(
    r"e_?mail|phone|user_?name|(first|last|full)_?name|date_?of_?birth|birth_?day|street|postal|recipient"
)
_VALUES = re.compile(
    r"(?P<address>[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8})"
    r"|(?P<jwt>\beyJ[\w-]{4,}\.[\w-]+(?:\.[\w-]*)?)"
    r"|(?P<scheme>\b(?:bearer|basic)\s+)[\w.~+/=-]{6,}"
    r"|(?P<login>://)[^/\s:@]{0,128}:[^/\s@]{1,256}@"
    r"|(?P<pair>\b(?:password|passwd|secret|api_?key|access_token|refresh_token)[\"']?\s*[=:]\s*[\"']?)[^\s\"',;&]+"
    r"|(?P<card>(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-]))",
    re.IGNORECASE,
)
# Most texts hold nothing: this search decides in a fraction of the time.
_SUSPICIOUS = re.compile(
    r"@|eyJ|\d[\d -]{11}|[Bb]earer|BEARER|[Bb]asic |assw|ASSW|ecret|SECRET|_token|[Aa][Pp][Ii]_?[Kk]ey"
)
# JSON escapes what is below a space. These end a line, command a terminal or turn the text round for whoever reads it.
_DECEPTIVE = re.compile("[\x80-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@dataclass(frozen=True, kw_only=True)
class LogConfig:
    """`BANDSTAND["LOG"]`: names of fields that hold secrets or personal data beside the built-in ones."""

    section: ClassVar[str] = "LOG"

    secret_fields: tuple[str, ...] = ()
    personal_fields: tuple[str, ...] = ()


def clean(key: str, value: Any, *, depth: int = 0) -> Any:
    """Make a field safe to write: redacted, bounded, and of types that JSON has. Never raises."""
    kind = _kind(key.lower().replace("-", "_"))
    if kind == "secret":
        return MASK if value not in (None, "") else value
    if kind == "personal" and value not in (None, ""):
        return fingerprint(str(value))
    return _clean_value(value, depth=depth)


def clean_text(text: str) -> str:
    """Mask what looks like a credential, card or address, replace what deceives a reader, and bound the length."""
    if len(text) > _TEXT_LIMIT:
        text = text[:_TEXT_LIMIT] + "…"
    if not text.isascii():
        text = _DECEPTIVE.sub("\ufffd", text)
    return _VALUES.sub(_mask, text) if _SUSPICIOUS.search(text) else text


def fingerprint(text: str) -> str:
    """A short keyed hash, equal for equal values of this service; the key is Django's SECRET_KEY."""
    from django.conf import settings  # noqa: PLC0415 - masks work before there are settings

    key = str(settings.SECRET_KEY).encode()[:64] if settings.configured else b""
    return "#" + blake2b(text.strip().lower().encode(errors="replace"), key=key, digest_size=6).hexdigest()


def _mask(match: re.Match[str]) -> str:
    found = match.lastgroup or ""
    if found == "card":
        return MASK if _passes_luhn(match[0]) else match[0]
    kept = match[found] if found in ("scheme", "login", "pair") else ""
    return f"{kept}{MASK}" + ("@" if found == "login" else "")


def _passes_luhn(text: str) -> bool:
    digits = [int(character) for character in reversed(text) if character.isdigit()]
    return (sum(digits[::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])) % 10 == 0


@lru_cache(maxsize=2048)
def _kind(key: str) -> str:
    config = _config()
    if _SECRET.search(key) or key in config.secret_fields:
        return "secret"
    return "personal" if _PERSONAL.search(key) or key in config.personal_fields else ""


def _config() -> LogConfig:
    try:
        return section(LogConfig)
    except Exception:  # noqa: BLE001 - a line written before or despite broken settings still goes out
        return LogConfig()


def _clean_value(value: Any, *, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, (UUID, Decimal, datetime, date)):
        return str(value)
    return _clean_container(value, depth=depth)


def _clean_container(value: Any, *, depth: int) -> Any:
    if depth >= _DEPTH_LIMIT:
        return "…"
    if isinstance(value, Mapping):
        items = list(value.items())[:_ITEM_LIMIT]
        return {str(key): clean(str(key), item, depth=depth + 1) for key, item in items}
    if isinstance(value, (list, tuple, set, frozenset)):
        return _clean_items(value, depth=depth)
    try:
        return clean_text(str(value))
    except Exception:  # noqa: BLE001 - a broken __str__ must not lose the line
        return f"<{type(value).__name__}>"


def _clean_items(values: Iterable[Any], *, depth: int) -> list[Any]:
    return [_clean_value(item, depth=depth + 1) for item in list(values)[:_ITEM_LIMIT]]
