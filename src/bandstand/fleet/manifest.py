"""`fleet.toml`: the fleet as data. Read once, checked as a whole, all faults reported together."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from bandstand.config import ConfigurationError, Fault
from bandstand.engines import ENGINES
from bandstand.fleet.routes import Route, parse_route

__all__ = ["BackingSpec", "Fleet", "GatewaySpec", "ServiceSpec", "find_manifest", "read_manifest"]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_ROLES = ("provider", "bus", "database")


class ServiceSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One service: a Django project (`settings`), or any program (`command`) that answers `ready` on `{port}`."""

    folder: str = "."
    settings: str = ""
    command: tuple[str, ...] = ()
    ready: str = "/readyz"
    live: str = "/livez"
    routes: tuple[str, ...] = ()
    database: str = ""
    replicas: int = 1
    seed: bool = False
    grace_seconds: float = 20.0
    env: dict[str, str] = {}


class BackingSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One backing server; `variable` gives its URL to the services, and replaces it when the environment sets it.

    `webhook`: a path of the gateway to which the server shall report (`PUT /v1/webhook` of the provider protocol).
    """

    command: tuple[str, ...]
    variable: str
    role: str = "provider"
    ready: str = "/"
    webhook: str = ""


class GatewaySpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The gateway: its worker threads and how long one request may take."""

    workers: int = 1
    timeout_seconds: int = 15


class Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """The checked manifest. `root` is its folder; `routes` are the declared ones, parsed.

    `profiles` give, by name, the engines that may stand behind a variable, the first that is there before the others.
    """

    file: Path
    name: str
    gateway: GatewaySpec
    bus: str
    services: dict[str, ServiceSpec]
    backing: dict[str, BackingSpec]
    profiles: dict[str, dict[str, tuple[str, ...]]]
    routes: tuple[Route, ...]

    @property
    def root(self) -> Path:
        """The folder that the manifest's paths start from."""
        return self.file.parent

    def folder_of(self, service: str) -> Path:
        """The folder of a service: its working directory and import path."""
        return self.root / self.services[service].folder

    def version_of(self, service: str) -> str:
        """The version in the service's `pyproject.toml`, or `0` without one."""
        try:
            text = (self.folder_of(service) / "pyproject.toml").read_text(encoding="utf-8")
            return str(tomllib.loads(text)["project"]["version"])
        except (OSError, KeyError, ValueError):
            return "0"


def find_manifest(start: Path) -> Path:
    """The `fleet.toml` of *start* or of the nearest folder above it. Raises ConfigurationError when there is none."""
    for folder in (start, *start.parents):
        if (folder / "fleet.toml").is_file():
            return folder / "fleet.toml"
    raise ConfigurationError([Fault(variable="fleet.toml", problem=f"is neither in {start} nor in a folder above it")])


def read_manifest(file: Path) -> Fleet:
    """Read and check the manifest. Raises ConfigurationError naming every fault."""
    file = file.resolve()
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError([Fault(variable=str(file), problem=f"cannot be read: {error}")]) from error
    faults: list[Fault] = []
    known = ("backing", "bus", "gateway", "name", "profiles", "services")
    faults += [_unknown(key, known, "") for key in table if key not in known]
    services = _structs(table, "services", ServiceSpec, faults)
    backing = _structs(table, "backing", BackingSpec, faults)
    gateway = _struct(table.get("gateway", {}), GatewaySpec, "gateway", faults) or GatewaySpec()
    routes = _routes(services, faults)
    fleet = Fleet(
        file=file,
        name=str(table.get("name", "fleet")),
        gateway=gateway,
        bus=str(table.get("bus", "")),
        services=services,
        backing=backing,
        profiles=_profiles(table.get("profiles", {}), faults),
        routes=routes,
    )
    faults += _faults_of(fleet)
    if faults:
        raise ConfigurationError(faults)
    return fleet


S = TypeVar("S", bound=msgspec.Struct)


def _structs(table: Mapping[str, Any], section: str, cls: type[S], faults: list[Fault]) -> dict[str, S]:
    entries = table.get(section, {})
    if not isinstance(entries, dict):
        faults.append(Fault(variable=section, problem="is no table", expected=f"[{section}.<name>] tables"))
        return {}
    found = {}
    for name, entry in entries.items():
        if not _NAME.fullmatch(name):
            expected = "a lower-case letter, then lower-case letters, digits and _, at most 40"
            faults.append(Fault(variable=f"{section}.{name}", problem="is no usable name", expected=expected))
        value = _struct(entry, cls, f"{section}.{name}", faults)
        if value is not None:
            found[name] = value
    return found


_FIELD = re.compile(r"field `(?P<named>[^`]+)`|at `\$\.(?P<path>\w+)")


def _struct(entry: Any, cls: type[S], where: str, faults: list[Fault]) -> S | None:
    """Convert one table; msgspec stops at the first fault, so each is taken out and the rest tried again."""
    if not isinstance(entry, dict):
        faults.append(Fault(variable=where, problem="is no table"))
        return None
    rest, before = dict(entry), len(faults)
    missing = [info.name for info in msgspec.structs.fields(cls) if info.required and info.name not in entry]
    faults += [Fault(variable=f"{where}.{name}", problem="is missing") for name in missing]
    while True:
        try:
            value = msgspec.convert(rest, cls)
        except msgspec.ValidationError as error:
            match = _FIELD.search(str(error))
            field = (match["named"] or match["path"]) if match else ""
            if field not in rest:  # missing, or taken out as wrong: both are known by now
                return None
            if "unknown field" in str(error):
                faults.append(_unknown(field, cls.__struct_fields__, f"{where}."))
            else:
                faults.append(Fault(variable=f"{where}.{field}", problem=str(error).partition(" - at")[0]))
            del rest[field]
        else:
            return value if len(faults) == before else None


def _unknown(key: str, known: Iterable[str], where: str) -> Fault:
    close = get_close_matches(key, list(known), n=1)
    expected = f"did you mean {close[0]!r}?" if close else "one of " + ", ".join(sorted(known))
    return Fault(variable=f"{where}{key}", problem="is unknown", expected=expected)


def _profiles(entries: Any, faults: list[Fault]) -> dict[str, dict[str, tuple[str, ...]]]:
    try:
        profiles = msgspec.convert(entries, dict[str, dict[str, tuple[str, ...]]])
    except msgspec.ValidationError as error:
        expected = '[profiles.<name>] with VARIABLE = ["engine", ...]'
        faults.append(Fault(variable="profiles", problem=str(error), expected=expected))
        return {}
    for profile, variables in profiles.items():
        for variable, engines in variables.items():
            where = f"profiles.{profile}.{variable}"
            faults += [_unknown(engine, ENGINES, f"{where}: ") for engine in engines if engine not in ENGINES]
            if not engines:
                faults.append(Fault(variable=where, problem="names no engine"))
    return profiles


def _routes(services: Mapping[str, ServiceSpec], faults: list[Fault]) -> tuple[Route, ...]:
    found: dict[tuple[str, str], Route] = {}
    for name, service in services.items():
        for text in (*service.routes, f"/api/v1/docs/{name}/", f"/api/v1/schema/{name}/"):
            try:
                route = parse_route(text, service=name)
            except ValueError as error:
                faults.append(Fault(variable=f"services.{name}.routes", problem=f"{text!r} {error}"))
                continue
            other = found.setdefault((route.method, route.path), route)
            if other.service != name:
                problem = f"{text!r} belongs to {other.service} already"
                faults.append(Fault(variable=f"services.{name}.routes", problem=problem))
    return tuple(found.values())


def _faults_of(fleet: Fleet) -> list[Fault]:
    faults = [fault for name, service in fleet.services.items() for fault in _faults_of_service(fleet, name, service)]
    roles = ", ".join(_ROLES)
    for name, server in fleet.backing.items():
        if server.role not in _ROLES:
            faults.append(Fault(variable=f"backing.{name}.role", problem="is unknown", expected=f"one of {roles}"))
    if set(fleet.services) & {"gateway", *fleet.backing, *ENGINES}:
        problem = "share a name with the gateway, a backing server or an engine"
        faults.append(Fault(variable="services", problem=problem))
    if not fleet.services:
        faults.append(Fault(variable="services", problem="are missing", expected="at least one [services.<name>]"))
    return faults


def _faults_of_service(fleet: Fleet, name: str, service: ServiceSpec) -> Iterator[Fault]:
    where = f"services.{name}"
    if bool(service.settings) == bool(service.command):
        yield Fault(variable=where, problem="needs either settings or command", expected="one of them")
    if not fleet.folder_of(name).is_dir():
        yield Fault(variable=f"{where}.folder", problem=f"{service.folder!r} is no folder")
    if not 1 <= service.replicas <= 16:
        yield Fault(variable=f"{where}.replicas", problem="is out of range", expected="1 to 16")
    if service.database and not service.database.startswith(("sqlite:///", "postgres://", "postgresql://")):
        expected = "sqlite:///… or postgresql://…"
        yield Fault(variable=f"{where}.database", problem="has an unknown scheme", expected=expected)
