"""Words of a command line and what they mean, for commands with and without events."""

from argparse import ArgumentTypeError
from datetime import datetime

from bandstand import clock

__all__ = ["moment", "positive"]


def moment(text: str) -> datetime:
    """`clock.moment` for argparse, which would hide the message of a ValueError."""
    try:
        return clock.moment(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def positive(text: str) -> int:
    """A number of rows for argparse."""
    if not text.isdecimal() or int(text) == 0:
        raise ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)
