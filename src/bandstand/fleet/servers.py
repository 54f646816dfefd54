"""The servers of a profile: which engine stands behind which variable, and the job that keeps it running."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bandstand.config import ConfigurationError, Fault
from bandstand.engines import ENGINES, Absent, Engine
from bandstand.engines.ports import free_port
from bandstand.fleet.http import converse
from bandstand.fleet.layout import DataFolder
from bandstand.fleet.manifest import Fleet
from bandstand.fleet.unit import Health, Job

__all__ = ["Server", "choose_servers", "missing_engines", "server_job"]

_HOST = "127.0.0.1"
_ROLES = {"DATABASE_URL": "database", "BUS_URL": "bus"}


@dataclass(frozen=True, kw_only=True)
class Server:
    """An engine on a port of its own, and the variables whose value it is."""

    engine: Engine
    port: int
    variables: tuple[str, ...]

    @property
    def urls(self) -> dict[str, str]:
        """Each variable with its value."""
        return dict.fromkeys(self.variables, self.engine.url(self.port))

    @property
    def lasting_urls(self) -> dict[str, str]:
        """The same with the engine's name for the address, which is another one at each start."""
        address = f"{_HOST}:{self.port}"
        return {variable: url.replace(address, self.engine.name) for variable, url in self.urls.items()}


def choose_servers(fleet: Fleet, profile: str, *, outer: Mapping[str, str]) -> list[Server]:
    """What *profile* needs beside what the environment names already. Raises ConfigurationError naming all that lacks.

    For each variable the first engine is taken that is installed and, for the bus, that there is a backend for. An
    engine that stands behind two variables is one server.
    """
    if not profile:
        return []
    if profile not in fleet.profiles:
        known = ", ".join(sorted(fleet.profiles)) or f"[profiles.{profile}] in {fleet.file.name}"
        raise ConfigurationError([Fault(variable=f"--profile {profile}", problem="is unknown", expected=known)])
    wanted: dict[str, list[str]] = {}
    faults = []
    for variable, names in fleet.profiles[profile].items():
        if outer.get(variable):
            continue
        lacking = missing_engines(variable, names)
        usable = [name for name in names if name not in lacking]
        if usable:
            wanted.setdefault(usable[0], []).append(variable)
        else:
            faults.append(_fault(profile, variable, lacking.values()))
    if faults:
        raise ConfigurationError(faults)
    return [
        Server(engine=ENGINES[name], port=free_port(), variables=tuple(variables)) for name, variables in wanted.items()
    ]


def missing_engines(variable: str, names: Iterable[str]) -> dict[str, str]:
    """Which engines cannot stand behind *variable* on this machine, and what each lacks."""
    lacking = {name: _lack(variable, ENGINES[name]) for name in names}
    return {name: lack for name, lack in lacking.items() if lack}


def _lack(variable: str, engine: Engine) -> str:
    try:
        engine.binary()
    except Absent as absent:
        return str(absent)
    if variable != "BUS_URL":
        return ""
    from bandstand.events.backends import check_url  # noqa: PLC0415 - a fleet on files does without it

    return check_url(engine.url(1)) or ""


def _fault(profile: str, variable: str, lacks: Iterable[str]) -> Fault:
    return Fault(variable=f"--profile {profile}", problem=f"has no server for {variable}: {'; '.join(lacks)}",
                 expected=f"one of them, or {variable} in the environment")  # fmt: skip


def server_job(server: Server, data: DataFolder, *, outer: Mapping[str, str]) -> Job:
    """Its port is fixed while the launcher lives, and its data stays in the data folder."""
    engine = server.engine
    command = [sys.executable, "-m", "bandstand.engines", engine.name,
               "--folder", str(data.root / "engines" / engine.name), "--port", str(server.port)]  # fmt: skip

    async def probe(port: int) -> Health:
        answer = await converse((_HOST, port), engine.question, length=len(engine.welcome), farewell=engine.farewell)
        if answer is None:
            return Health.SILENT
        # One that answers but lets nobody in is busy or recovers: to kill it would not help.
        return Health.READY if answer == engine.welcome else Health.UNREADY

    return Job(
        name=engine.name,
        service="",
        role=_ROLES.get(server.variables[0], "cache"),
        command=lambda _port: command,
        env=lambda _instance: {**outer, "BANDSTAND_DATA": str(data.root)},
        cwd=data.root,
        log=data.log(engine.name),
        probe=probe,
        port=server.port,
        url=engine.url,
        stop_signal=engine.stop_signal,
    )
