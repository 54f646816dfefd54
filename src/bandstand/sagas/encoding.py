"""The context of a saga as JSON: what a step returns comes back the same before and after a crash."""

from collections.abc import Mapping
from typing import Any

import msgspec

__all__ = ["decode", "encode"]


def encode(context: Mapping[str, Any]) -> str:
    """Write *context*; Decimal, UUID and time become text. Raises TypeError or ValueError for what has no JSON form."""
    text = msgspec.json.encode(context).decode()
    if "\\u0000" in text:
        raise ValueError("a NUL character cannot be stored: PostgreSQL has no place for it")
    return text


def decode(text: str) -> dict[str, Any]:
    """Read a context: JSON types only, so a step sees the same values on its first run and after a crash."""
    context: dict[str, Any] = msgspec.json.decode(text)
    return context
