"""`bandstand doctor`."""

import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from bandstand.cli.failures import Exit
from bandstand.cli.options import Selection, fleet_options, profile_option
from bandstand.cli.output import mark, say
from bandstand.config import ConfigurationError
from bandstand.fleet.databases import describe_server, is_server
from bandstand.fleet.gateway.files import envoy_path
from bandstand.fleet.guards import check_port
from bandstand.fleet.servers import choose_servers, missing_engines

__all__ = ["command"]

_LEAST_FREE_BYTES = 512 * 1024 * 1024


class _Trouble(Exception):
    """What is wrong, and what to do."""


@click.command("doctor")
@fleet_options
@profile_option
@click.option("--port", default=8000, show_default=True, help="The gateway's port.")
def command(selection: Selection, profile: str, port: int) -> int:
    """Check this machine for what a fleet needs; each line that fails says what to do.

    A profile that was not asked for may lack something: its line says what, and the exit code does not.
    """
    checks: list[tuple[str, Callable[[], str]]] = [
        ("system", _system),
        ("python", _python),
        ("packages", _packages),
        ("envoy", _envoy),
        ("manifest", lambda: f"{selection.fleet.file} names {len(selection.fleet.services)} services"),
        ("data folder", lambda: _folder(selection.data.root)),
        ("port", lambda: _port(port)),
    ]
    if is_server(selection.outer.get("DATABASE_URL", "")):
        checks.append(("databases", lambda: describe_server(selection.outer["DATABASE_URL"])))
    if profile:
        checks.append((profile, lambda: _profile(selection, profile)))
    held = [_holds(title, check) for title, check in checks]
    for other in sorted({*_profiles(selection)} - {profile}):
        _holds(other, partial(_profile, selection, other))
    return Exit.OK if all(held) else Exit.FAILED


def _holds(title: str, check: Callable[[], str]) -> bool:
    """Say what was found, or what is wrong."""
    try:
        say(f"{mark(good=True)} {title:15} {check()}")
    except (_Trouble, ConfigurationError, OSError) as error:
        say(f"{mark(good=False)} {title:15} {error}")
        return False
    return True


def _profiles(selection: Selection) -> Iterable[str]:
    with suppress(ConfigurationError):  # the line about the manifest says what is wrong with it
        return selection.fleet.profiles
    return ()


def _profile(selection: Selection, profile: str) -> str:
    """Which engine stands behind which variable, and why another that is preferred does not."""
    servers = choose_servers(selection.fleet, profile, outer=selection.outer)
    found = [f"{variable} by {server.engine.name}" for server in servers for variable in server.variables]
    for variable, names in selection.fleet.profiles[profile].items():
        lacking = {} if selection.outer.get(variable) else missing_engines(variable, names)
        found += [f"without {name}: {lack}" for name, lack in lacking.items()]
    return "; ".join(found) or "needs nothing that the environment does not name"


def _system() -> str:
    if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
        raise _Trouble("fleets run on Linux 5.4 or newer: they rely on pidfd and parent-death signals")
    return f"Linux {platform.release()}, {os.cpu_count()} cores"


def _python() -> str:
    return f"{platform.python_version()} at {sys.executable}"


def _packages() -> str:
    try:
        return ", ".join(f"{name} {version(name)}" for name in ("django", "granian", "pyreqwest"))
    except PackageNotFoundError as error:
        raise _Trouble(f"{error.name} is missing: `pip install 'bandstand[standard]'`") from None


def _envoy() -> str:
    done = subprocess.run([envoy_path(), "--version"], capture_output=True, text=True, check=False, timeout=20)  # noqa: S603
    if done.returncode:
        raise _Trouble(f"{envoy_path()} does not run: {done.stderr.strip()}")
    return done.stdout.strip().rpartition("version: ")[2]


def _folder(root: Path) -> str:
    place = next(folder for folder in (root, *root.parents) if folder.exists())
    if not os.access(place, os.W_OK):
        raise _Trouble(f"{place} cannot be written: choose another with --data")
    status = os.statvfs(place)
    if status.f_bavail * status.f_frsize < _LEAST_FREE_BYTES:
        raise _Trouble(f"less than {_LEAST_FREE_BYTES // 1048576} MiB are free on {place}: make room, or use --data")
    return f"{root} can be written"


def _port(port: int) -> str:
    check_port("127.0.0.1", port)
    return f"{port} is free"
