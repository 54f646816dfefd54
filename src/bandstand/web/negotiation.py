"""What an `Accept` header allows and prefers."""

import re
from functools import lru_cache

__all__ = ["accepts_json", "prefers_problem"]

_JSON, _PROBLEM = "application/json", "application/problem+json"
_LONGEST = 1024
_RANGE = re.compile(r"\s*([\w!#$&^.+*-]+/[\w!#$&^.+*-]+)\s*((?:;[^,]*)?)", re.ASCII)
_QUALITY = re.compile(r";\s*q\s*=\s*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*(?:;|$)", re.ASCII | re.IGNORECASE)


def accepts_json(accept: str | None) -> bool:
    """Whether JSON may be answered. Who accepts only problem+json wants JSON where there is no problem."""
    if not accept or accept in ("*/*", _JSON):
        return True
    ranges = _ranges(accept[:_LONGEST])
    for candidate in (_JSON, "application/*", "*/*"):  # the most specific range decides
        if candidate in ranges and ranges[candidate] > 0:
            return True
        if candidate in ranges:
            break
    return ranges.get(_PROBLEM, 0) > 0


def prefers_problem(accept: str | None) -> bool:
    """Whether errors are wanted as RFC 9457: named, and not with less weight than plain JSON."""
    if not accept or _PROBLEM not in accept[:_LONGEST].lower():
        return False
    ranges = _ranges(accept[:_LONGEST])
    return ranges.get(_PROBLEM, 0) > 0 and ranges[_PROBLEM] >= ranges.get(_JSON, 0)


@lru_cache(maxsize=256)
def _ranges(accept: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in accept.split(","):
        match = _RANGE.fullmatch(part)
        if match:
            quality = _QUALITY.search(match[2])
            found[match[1].lower()] = float(quality[1]) if quality else 1.0
    return found
