"""Run commands inside services: in their folder and environment, several at once."""

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from bandstand.cli.failures import Exit, Failure
from bandstand.cli.options import Selection
from bandstand.fleet.environment import service_environment
from bandstand.fleet.manifest import Fleet

__all__ = ["Done", "become", "chosen_services", "inspect_services", "manage", "manage_one"]


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


def become(selection: Selection, service: str, *words: str) -> NoReturn:
    """Turn this process into `manage.py` of one service, which then owns terminal, signals and exit code."""
    command = [sys.executable, "manage.py", *words]
    env = _environment(selection, service)
    os.chdir(selection.fleet.folder_of(service))
    sys.stdout.flush()
    os.execve(sys.executable, command, env)  # noqa: S606 - the fleet's own service


def _environment(selection: Selection, service: str) -> dict[str, str]:
    data = selection.data
    urls = (data.read_state() or {}).get("urls", {})
    env = service_environment(
        selection.fleet, data, service, outer=selection.outer, urls=urls, instance=f"{service}-cli"
    )
    if not data.trust.exists():  # never started: no keys yet, and what is asked needs none
        env = {key: value for key, value in env.items() if not key.endswith("_FILE")}
    return {**env, "LOG_LEVEL": "WARNING"}


def _run(selection: Selection, commands: Mapping[str, list[str]], extra: Mapping[str, str]) -> list[Done]:
    running = {}
    for name, words in commands.items():
        running[name] = subprocess.Popen(  # noqa: S603 - the fleet's own services
            [sys.executable, *words],
            cwd=selection.fleet.folder_of(name),
            env={**_environment(selection, name), **extra},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    ended = {name: process.communicate() for name, process in running.items()}
    return [Done(service=name, status=running[name].returncode, output=out, errors=err)
            for name, (out, err) in ended.items()]  # fmt: skip
