"""Run commands inside services: in their folder and environment, several at once."""

import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bandstand.cli.failures import Exit, Failure
from bandstand.cli.options import Selection
from bandstand.fleet.environment import service_environment
from bandstand.fleet.manifest import Fleet

__all__ = ["Done", "chosen_services", "inspect_services", "manage", "manage_one"]


@dataclass(frozen=True, kw_only=True)
class Done:
    """How a command in a service ended."""

    service: str
    status: int
    output: str
    errors: str


def chosen_services(fleet: Fleet, name: str | None) -> list[str]:
    """The service *name*, or all of them. Ends the verb when there is no such service."""
    django = [each for each, spec in fleet.services.items() if spec.settings]
    if name is None:
        return django
    if name not in django:
        raise Failure(f"there is no service {name!r}; there are: {', '.join(django)}", Exit.NOT_FOUND)
    return [name]


def manage(
    selection: Selection, services: Iterable[str], *words: str, env: Mapping[str, str] | None = None
) -> list[Done]:
    """Run `manage.py` of each of *services* at once and wait for all; *env* is added to the fleet's environment."""
    return _run(selection, {name: ["manage.py", *words] for name in services}, env or {})


def manage_one(selection: Selection, service: str, *words: str) -> Done:
    """Run `manage.py` of one service; ends the verb with its own words when it fails."""
    done = manage(selection, [service], *words)[0]
    if done.status:
        said = done.errors.strip().removeprefix("CommandError: ")
        raise Failure(f"{service}: {said}", Exit.NOT_FOUND if "there is no" in said else Exit.FAILED)
    return done


def inspect_services(selection: Selection, services: Iterable[str], what: str) -> list[Done]:
    """Ask each service about itself; see `bandstand.fleet.inspection`."""
    specs = selection.fleet.services
    words = {name: ["-m", "bandstand.fleet.inspection", what, name, specs[name].settings] for name in services}
    done = _run(selection, words, {})
    for each in done:
        if each.status:
            raise Failure(
                f"{each.service}: {each.errors.strip()}", Exit.USAGE if each.status == Exit.USAGE else Exit.FAILED
            )
    return done


def _run(selection: Selection, commands: Mapping[str, list[str]], extra: Mapping[str, str]) -> list[Done]:
    fleet, data, outer = selection.fleet, selection.data, selection.outer
    urls = (data.read_state() or {}).get("urls", {})
    running = {}
    for name, words in commands.items():
        env = service_environment(fleet, data, name, outer=outer, urls=urls, instance=f"{name}-cli")
        if not data.trust.exists():  # never started: no keys yet, and what is asked needs none
            env = {key: value for key, value in env.items() if not key.endswith("_FILE")}
        running[name] = subprocess.Popen(  # noqa: S603 - the fleet's own services
            [sys.executable, *words],
            cwd=fleet.folder_of(name),
            env={**env, "LOG_LEVEL": "WARNING", **extra},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    ended = {name: process.communicate() for name, process in running.items()}
    return [Done(service=name, status=running[name].returncode, output=out, errors=err)
            for name, (out, err) in ended.items()]  # fmt: skip
