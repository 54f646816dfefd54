"""Typed sections of the one Django setting `BANDSTAND`.

A concern declares a frozen dataclass with a default for every field and reads it with `section(cls)`. The value is
cached until the setting changes, so `override_settings` works; an unknown key is an error that suggests the right one.
"""

import dataclasses
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, ClassVar, Protocol, TypeVar

from bandstand.config.environment import ConfigurationError, Fault

__all__ = ["Identity", "identity", "section"]


class _Section(Protocol):
    section: ClassVar[str]


S = TypeVar("S", bound=_Section)

_loaded: dict[type[Any], Any] = {}


def section(cls: type[S]) -> S:
    """The section `settings.BANDSTAND[cls.section]` as an instance of *cls*; keys are the upper-case field names.

    Raises ConfigurationError naming every unknown key.
    """
    found = _loaded.get(cls)
    if found is None:
        found = _loaded[cls] = _read(cls)
    result: S = found
    return result


def _read(cls: type[S]) -> S:
    from django.conf import settings  # noqa: PLC0415 - only here are settings needed
    from django.core.signals import setting_changed  # noqa: PLC0415

    setting_changed.connect(_forget, dispatch_uid="bandstand.config")
    values = getattr(settings, "BANDSTAND", {}).get(cls.section, {})
    names = {field.name.upper(): field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    faults = [
        Fault(variable=f"BANDSTAND[{cls.section!r}][{key!r}]", problem="is unknown", expected=_suggestion(key, names))
        for key in values
        if key not in names
    ]
    if faults:
        raise ConfigurationError(faults)
    return cls(**{names[key]: value for key, value in values.items()})


def _suggestion(key: str, names: dict[str, str]) -> str:
    close = get_close_matches(key, names, n=1)
    return f"did you mean {close[0]!r}?" if close else "one of " + ", ".join(sorted(names))


def _forget(*, setting: str, **_: object) -> None:
    if setting == "BANDSTAND":
        _loaded.clear()


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who this process is: it stands on every log line, metric, span, event and error.

    `environment` is `local`, `test`, or anything else, which counts as production.
    """

    section: ClassVar[str] = "SERVICE"

    name: str = "unnamed"
    version: str = "0"
    environment: str = "production"
    instance: str = ""

    @property
    def is_production(self) -> bool:
        """Whether the strict rules apply: everywhere but on a developer's machine and in tests."""
        return self.environment not in ("local", "test")


def identity() -> Identity:
    """The identity of this service."""
    return section(Identity)
