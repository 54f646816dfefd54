"""Typed settings from the environment, `.env` files and mounted secret files; all faults reported together.

A concern declares a frozen dataclass; `load` fills it. A field `deadline: timedelta` of the prefix `ORDERS` is read
from `ORDERS_DEADLINE_SECONDS`, a field `url: str` from `ORDERS_URL`. For each variable the environment wins over
`.env`, and `NAME_FILE` names a file holding the value, as secrets are mounted. Nothing else reads `os.environ`.
"""

import dataclasses
import os
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

__all__ = [
    "ConfigurationError",
    "Fault",
    "Secret",
    "Setting",
    "default_to",
    "describe",
    "environment",
    "load",
    "load_all",
    "read_env_file",
    "set_to",
    "setting",
]

T = TypeVar("T")


class Secret:
    """A value that never shows in a representation, a log or a dump; `reveal` gives it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself: hand it straight to who needs it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._value)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing wrong with the configuration: the variable, what is wrong, what is expected."""

    variable: str
    problem: str
    expected: str = ""

    def __str__(self) -> str:
        return f"{self.variable}: {self.problem}" + (f"; expected {self.expected}" if self.expected else "")


class ConfigurationError(Exception):
    """The configuration cannot be used; `faults` names every problem at once, and never a secret's value."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        lines = "\n".join(f"  - {fault}" for fault in self.faults)
        super().__init__(f"{len(self.faults)} fault(s) in the configuration:\n{lines}")


def read_env_file(path: Path) -> dict[str, str]:
    """Read `NAME=value` lines; blank lines and `#` comments are skipped, one pair of quotes is taken off."""
    values: dict[str, str] = {}
    if not path.is_file():
        return values
    for line in path.read_text(encoding="utf-8").splitlines():
        name, separator, value = line.strip().removeprefix("export ").partition("=")
        if not separator or name.startswith("#"):
            continue
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        values[name.strip()] = value
    return values


def environment(env_file: Path | None = None) -> dict[str, str]:
    """The environment over `.env` (in the working directory unless *env_file* says otherwise)."""
    return {**read_env_file(env_file or Path(".env")), **os.environ}


def setting(default: Any = dataclasses.MISSING, *, variable: str = "", text: str = "") -> Any:
    """Declare a field with a *variable* name of its own or a *text* that says what it is for."""
    metadata = {"variable": variable, "text": text}
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One loaded setting as `describe` reports it; secrets are masked, credentials in URLs too."""

    variable: str
    value: str
    source: str
    text: str


def load(cls: type[T], *, prefix: str = "", values: Mapping[str, str] | None = None) -> T:
    """Fill the dataclass *cls* from *values* (default: `environment()`). Raises ConfigurationError with every fault."""
    filled: T = load_all((cls, prefix), values=values)[0]
    return filled


def load_all(*wanted: tuple[type[Any], str], values: Mapping[str, str] | None = None) -> list[Any]:
    """Fill several `(dataclass, prefix)` pairs, so that one error names the faults of all of them."""
    source = environment() if values is None else values
    faults: list[Fault] = []
    filled = [_fill(cls, prefix, source, faults) for cls, prefix in wanted]
    if faults:
        raise ConfigurationError(faults)
    return filled


def describe(instance: Any, *, prefix: str = "", values: Mapping[str, str] | None = None) -> list[Setting]:
    """List a loaded dataclass for people: variable, masked value, where it came from, what it is for."""
    source = environment() if values is None else values
    hints = get_type_hints(type(instance))
    listed = []
    for field in dataclasses.fields(instance):
        variable = _variable(field, hints[field.name], prefix)
        origin = "file" if f"{variable}_FILE" in source else "environment" if variable in source else "default"
        listed.append(
            Setting(
                variable=variable,
                value=_masked(getattr(instance, field.name)),
                source=origin,
                text=field.metadata.get("text", ""),
            )
        )
    return listed


def _fill(cls: type[T], prefix: str, source: Mapping[str, str], faults: list[Fault]) -> T | None:
    hints = get_type_hints(cls)
    found: dict[str, Any] = {}
    before = len(faults)
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        hint = hints[field.name]
        variable = _variable(field, hint, prefix)
        try:
            text = _text(variable, source)
            if text is None:
                if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                    faults.append(Fault(variable=variable, problem="is not set", expected=_name(hint)))
                continue
            found[field.name] = _convert(text, hint)
        except (ValueError, OSError) as error:
            shown = "" if _is_secret(hint) else f"{source.get(variable, '')!r} is wrong: "
            faults.append(Fault(variable=variable, problem=f"{shown}{error}", expected=_name(hint)))
    if len(faults) > before:
        return None
    try:
        return cls(**found)
    except ValueError as error:  # a dataclass checks its fields together in __post_init__
        faults.append(Fault(variable=prefix or cls.__name__, problem=str(error)))
        return None


def _variable(field: "dataclasses.Field[Any]", hint: Any, prefix: str) -> str:
    if field.metadata.get("variable"):
        return str(field.metadata["variable"])
    name = f"{prefix}_{field.name}" if prefix else field.name
    return (f"{name}_SECONDS" if _required(hint) is timedelta else name).upper()


def _text(variable: str, source: Mapping[str, str]) -> str | None:
    path = source.get(f"{variable}_FILE")
    if path:
        return Path(path).read_text(encoding="utf-8").rstrip("\n")
    return source.get(variable)


def _required(hint: Any) -> Any:
    """`X | None` is read as X: an absent variable keeps the default."""
    if get_origin(hint) in (Union, types.UnionType):
        return next(arg for arg in get_args(hint) if arg is not types.NoneType)
    return hint


_TRUE, _FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off", ""})


def _boolean(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError("it is neither true nor false")


def _duration(text: str) -> timedelta:
    try:
        return timedelta(seconds=float(text))
    except (ValueError, OverflowError):
        raise ValueError("it is no number of seconds") from None


def _number(cls: type[int] | type[float]) -> Callable[[str], int | float]:
    def convert(text: str) -> int | float:
        try:
            return cls(text)
        except ValueError:
            raise ValueError("it is no number") from None

    return convert


_SCALARS: dict[Any, Callable[[str], Any]] = {
    str: str,
    bool: _boolean,
    int: _number(int),
    float: _number(float),
    timedelta: _duration,
    Path: Path,
    Secret: Secret,
}


def _convert(text: str, hint: Any) -> Any:
    hint = _required(hint)
    if hint in _SCALARS:
        return _SCALARS[hint](text)
    if get_origin(hint) is Literal:
        if text not in get_args(hint):
            raise ValueError("it is none of the choices")
        return text
    if isinstance(hint, type) and issubclass(hint, Enum):
        try:
            return hint(text)
        except ValueError:
            raise ValueError("it is none of the choices") from None
    if get_origin(hint) in (tuple, list, frozenset):
        item = get_args(hint)[0]
        return get_origin(hint)(_convert(part.strip(), item) for part in text.split(",") if part.strip())
    raise TypeError(f"settings of type {hint} are not supported")


def _name(hint: Any) -> str:
    hint = _required(hint)
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(map(str, get_args(hint)))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return "one of " + ", ".join(str(member.value) for member in hint)
    if get_origin(hint) in (tuple, list, frozenset):
        return "a comma-separated list"
    names = {timedelta: "seconds", Path: "a path", Secret: "a secret", str: "text", bool: "true or false"}
    return names.get(hint, getattr(hint, "__name__", str(hint)))


def _is_secret(hint: Any) -> bool:
    return _required(hint) is Secret


def _masked(value: Any) -> str:
    if isinstance(value, Secret):
        return "***" if value else "(empty)"
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g} s"
    text = str(value)
    scheme, separator, rest = text.partition("://")
    if separator and "@" in rest.partition("/")[0]:
        return f"{scheme}://***@{rest.partition('@')[2]}"
    return text


def default_to(variable: str, value: str) -> None:
    """Set *variable* in this process's environment unless it is set: for what a framework reads from there itself."""
    os.environ.setdefault(variable, value)


def set_to(variable: str, value: str) -> None:
    """Set *variable* in this process's environment, whatever it was: for a wish that is said on the command line."""
    os.environ[variable] = value
