"""What only a service itself can tell, asked in a process of its own: `python -m bandstand.fleet.inspection WHAT NAME`.

It runs in the service's folder and environment and prints one JSON document.
"""

import dataclasses
import inspect
import json
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from bandstand.config import ConfigurationError, describe, environment, load
from bandstand.service.environment import ServiceEnvironment

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Print the crash points or the configuration of the service whose settings are named."""
    what, service, settings = arguments
    try:
        answer = {"points": _points, "config": _config}[what](service, settings)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(json.dumps(answer))
    return 0


def _points(_service: str, settings: str) -> list[str]:
    import django  # noqa: PLC0415 - only this question needs the whole service
    from django.conf import settings as django_settings  # noqa: PLC0415

    from bandstand.lifecycle.crashpoints import crash_point_names  # noqa: PLC0415

    module = import_module(settings)
    django_settings.configure(**{name: value for name, value in vars(module).items() if name.isupper()})
    django.setup()
    return crash_point_names()


def _config(service: str, _settings: str) -> list[dict[str, Any]]:
    values = environment()
    listed = list(describe(load(ServiceEnvironment, values=values), values=values))
    for instance, prefix in _own(service):
        listed += describe(instance, prefix=prefix, values=values)
    return [dataclasses.asdict(each) for each in listed]


def _own(service: str) -> Iterator[tuple[Any, str]]:
    """The knobs of `<service>.config`: what its functions without parameters return, and the prefix they load with."""
    if find_spec(f"{service}.config") is None:
        return
    module = import_module(f"{service}.config")
    prefixes: dict[int, str] = {}

    def remember(cls: type[Any], *, prefix: str = "", **rest: Any) -> Any:
        filled = load(cls, prefix=prefix, **rest)
        prefixes[id(filled)] = prefix
        return filled

    vars(module)["load"] = remember
    for function in _functions(module):
        instance = function()
        yield instance, prefixes.get(id(instance), "")


def _functions(module: Any) -> list[Callable[[], Any]]:
    own = [each for each in vars(module).values() if getattr(each, "__module__", "") == module.__name__]
    return [each for each in own if callable(each) and not isinstance(each, type) and not _parameters(each)]


def _parameters(function: Callable[..., Any]) -> Any:
    return inspect.signature(function).parameters


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
