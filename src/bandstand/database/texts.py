"""Texts from elsewhere as every database can keep them: SQLite takes no lone surrogate, PostgreSQL no NUL either."""

import traceback

__all__ = ["reason_of", "storable", "traceback_of"]

_TRACEBACK_CHARACTERS = 8_000


def storable(text: str) -> str:
    """Spell out lone surrogates and NUL, which exceptions may quote."""
    return text.encode(errors="backslashreplace").decode().replace("\x00", "\\x00")


def reason_of(error: BaseException) -> str:
    """The class and the words of an exception; never raises."""
    try:
        words = str(error)
    except Exception as failure:  # noqa: BLE001 - whoever wrote that exception may have raised anything
        words = f"its own words cannot be had: {type(failure).__name__}"
    return storable(f"{type(error).__name__}: {words}")


def traceback_of(error: BaseException) -> str:
    """The end of its traceback, 8,000 characters at most."""
    return storable("".join(traceback.format_exception(error)))[-_TRACEBACK_CHARACTERS:]
