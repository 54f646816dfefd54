"""System checks of declared choreographies: bandstand.E371 to E377."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import fields
from math import prod
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, register

from bandstand.events import Event
from bandstand.sagas.choreography.declaration import Choreography, choreographies
from bandstand.sagas.choreography.expectation import Path
from bandstand.sagas.choreography.language import AllOf, Either, Node, Then

__all__ = ["check_choreographies", "check_choreography"]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
_MOST_COURSES = 64


_APP = "bandstand.sagas.choreography"


@register("bandstand")
def check_choreographies(**_: Any) -> list[CheckMessage]:
    """Find choreographies that could not be watched, or in which a stall would go unseen."""
    if any(True for _ in choreographies) and not apps.is_installed(_APP):
        return [
            Error(f"Choreographies are declared and {_APP} is not installed.", hint="Install it.", id="bandstand.E377")
        ]
    return [fault for each in choreographies for fault in check_choreography(each)]


def check_choreography(choreography: type[Choreography]) -> Iterator[Error]:
    """The faults of one choreography."""
    if _NAME.fullmatch(choreography.name) is None:
        hint = "Lower-case letters, digits and _, at most 100: the name stands in metrics and on rows."
        yield _error(choreography, "E371", "has no usable name", hint)
    strange = [each for each in _spoken(choreography) if not _is_understood(each)]
    if strange or not choreography.expects:
        fault = f"expects {strange[0]!r}, which is no named event" if strange else "expects nothing"
        hint = "Say starts_on, and in expects events, then(), maybe(), all_of() and either()."
        yield _error(choreography, "E372", fault, hint)
        return
    if _count(choreography.nodes()) > _MOST_COURSES:
        hint = f"At most {_MOST_COURSES}: declare two choreographies, or use maybe()."
        yield _error(choreography, "E373", "has too many courses", hint)
        return
    yield from _courses(choreography)
    yield from _keys(choreography)


def _spoken(choreography: type[Choreography]) -> list[Any]:
    return [getattr(choreography, "starts_on", None), *choreography.expects]


def _is_understood(spoken: Any) -> bool:
    if isinstance(spoken, Then):
        return _is_understood(spoken.event)
    if isinstance(spoken, AllOf):
        return bool(spoken.members) and all(_is_understood(each) for each in spoken.members)
    if isinstance(spoken, Either):
        branches = spoken.branches
        return len(branches) > 1 and all(branch and all(map(_is_understood, branch)) for branch in branches)
    return isinstance(spoken, type) and issubclass(spoken, Event) and bool(spoken.event_name)


def _count(nodes: Iterable[Node]) -> int:
    """How many courses there are, without making them."""
    return prod(sum(map(_count, node.branches)) if isinstance(node, Either) else 1 for node in nodes)


def _courses(choreography: type[Choreography]) -> Iterator[Error]:
    paths = choreography.expectation().paths
    twice = sorted({event for path in paths for event in _repeated(path)})
    if twice:
        hint = "A journey is the set of its events: each can be expected once on a course."
        yield _error(choreography, "E374", f"expects {', '.join(twice)} twice on one course", hint)
    (first,) = paths[0][0][:1]
    if first.is_optional:
        yield _error(choreography, "E372", "starts on an optional event", "starts_on is what begins the journey.")
    unbounded = {step.event for path in paths for stage in path[1:] for step in _endless(stage)}
    if unbounded and choreography.within is None:
        hint = "Say within=, for the step or for the whole choreography."
        yield _error(choreography, "E375", f"would wait for {', '.join(sorted(unbounded))} for ever", hint)


def _repeated(path: Path) -> list[str]:
    counted = Counter(step.event for stage in path for step in stage)
    return [event for event, number in counted.items() if number > 1]


def _endless(stage: Iterable[Any]) -> list[Any]:
    return [step for step in stage if not step.is_optional and step.within is None]


def _keys(choreography: type[Choreography]) -> Iterator[Error]:
    for step in choreography.watched().values():
        key = choreography.key_of(step)
        if isinstance(key, str) and key and key not in {each.name for each in fields(step.event)}:  # type: ignore[arg-type]
            fault = f"names its journey by {key!r}, which {step.name} does not declare"
            hint = "Declare the field, say key= in then(), or leave the key empty to take the subject."
            yield _error(choreography, "E376", fault, hint)


def _error(choreography: type[Choreography], number: str, fault: str, hint: str) -> Error:
    name = choreography.name or choreography.__qualname__
    return Error(f"The choreography {name!r} {fault}.", hint=hint, obj=choreography, id=f"bandstand.{number}")
