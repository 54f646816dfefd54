"""Events of older versions, lifted to the version that a consumer reads.

    @upcaster("orders.order_placed.v1", to="orders.order_placed.v2")
    def with_currency(data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "currency": "EUR"}

Upcasters form chains, so that each version only knows its next. What is stored (on the bus, waiting, dead) stays as
it was published; the lifting happens on the way into the handler.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from bandstand.events.envelope import Envelope

__all__ = ["CannotUpcast", "Upcaster", "older_versions", "upcast", "upcaster", "upcasters"]

_VERSION = re.compile(r"(?P<fact>.+)\.v(?P<major>[1-9][0-9]*)")

Lift = Callable[[dict[str, Any]], dict[str, Any]]


class CannotUpcast(Exception):
    """No chain of upcasters leads from the event's version to the consumer's, or one of them raised."""


@dataclass(frozen=True, kw_only=True)
class Upcaster:
    """A pure function from the data of one version of a fact to that of a later one."""

    old: str
    to: str
    lift: Lift


_upcasters: dict[str, Upcaster] = {}


def upcaster(old: str, *, to: str) -> Callable[[Lift], Lift]:
    """Register a function that makes data of the event *to* of data of its older version *old*.

    Every consumer of *to* then also gets events of *old*. Fields that the function does not know survive if it returns
    them. Raises ValueError unless both are versions of one fact, the later one last, with one way up from each.
    """
    before, after = _VERSION.fullmatch(old), _VERSION.fullmatch(to)
    if (
        before is None
        or after is None
        or before["fact"] != after["fact"]
        or int(before["major"]) >= int(after["major"])
    ):
        raise ValueError(f"{old!r} is no older version of {to!r}")

    def register(lift: Lift) -> Lift:
        known = _upcasters.get(old)
        if known is not None and (known.to, _origin(known.lift)) != (to, _origin(lift)):
            raise ValueError(f"two upcasters lead up from {old}: {_origin(known.lift)} and {_origin(lift)}")
        _upcasters[old] = Upcaster(old=old, to=to, lift=lift)
        return lift

    return register


def upcasters() -> list[Upcaster]:
    """All upcasters of this process, by the version they lift."""
    return [_upcasters[old] for old in sorted(_upcasters)]


def older_versions(event_name: str) -> list[str]:
    """The versions that upcasters lift to *event_name*, each after those it is lifted to."""
    found = [event_name]
    for name in found:
        found += [each.old for each in upcasters() if each.to == name]
    return found[1:]


def upcast(envelope: Envelope, to: str) -> Envelope:
    """Return *envelope* as an event of the version *to*; itself if it is one. Raises CannotUpcast."""
    if envelope.type == to:
        return envelope
    chain = _chain(envelope.type, to)
    try:
        data = msgspec.json.decode(envelope.data, type=dict[str, Any])
        for step in chain:
            data = step.lift(data)
        return replace(envelope, type=to, data=msgspec.json.encode(data))
    except Exception as error:
        raise CannotUpcast(f"{envelope.type} cannot become {to}: {type(error).__name__}: {error}") from error


def _chain(old: str, to: str) -> list[Upcaster]:
    """The upcasters from one version to another. It ends: each leads to a later version."""
    steps: list[Upcaster] = []
    name = old
    while name != to:
        step = _upcasters.get(name)
        if step is None:
            raise CannotUpcast(f"no upcaster leads from {name} to {to}")
        steps.append(step)
        name = step.to
    return steps


def _origin(function: Lift) -> str:
    return f"{function.__module__}.{function.__qualname__}"
