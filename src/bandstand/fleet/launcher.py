"""The launcher: starts the fleet, keeps it running, tells the gateway and the services who is ready, drains it."""

import asyncio
import json
import os
import signal
from collections import ChainMap
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bandstand.clock import monotonic, now, rfc3339
from bandstand.fleet.changes import reload_fleet, restart_units
from bandstand.fleet.chores import keep_logs_small, register_webhooks, seed_shop
from bandstand.fleet.control import serve_control
from bandstand.fleet.databases import open_databases
from bandstand.fleet.directory import Directory
from bandstand.fleet.environment import bus_url, database_url, given_urls
from bandstand.fleet.gateway.files import GatewayFiles
from bandstand.fleet.guards import check_databases, check_port, take_lock
from bandstand.fleet.jobs import backing_jobs, backing_urls, gateway_job, service_jobs
from bandstand.fleet.keys import ensure_keys
from bandstand.fleet.layout import DataFolder, replace_file
from bandstand.fleet.manifest import Fleet
from bandstand.fleet.servers import choose_servers, server_job
from bandstand.fleet.status import document_of, memory_of
from bandstand.fleet.unit import Job, StartFailed, State, Unit, until_ready

__all__ = ["Launcher", "Options", "Report"]

_HOST = "127.0.0.1"

# What a database or a bus is: there before the services, and until the last of them has ended.
_FOUNDATIONS = ("database", "bus", "cache")

Report = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a fleet is run: the gateway's port, the launcher's environment, a profile of the manifest or none."""

    port: int
    outer: Mapping[str, str]
    profile: str = ""


class Launcher:
    """One fleet on one data folder. `run` owns the main thread: children are tied to the thread that spawned them.

    *report(event, facts)* is told what happens: `ready`, `databases`, `down`, `up`, `seeded`, `draining`, `stopped`.
    """

    def __init__(self, fleet: Fleet, data: DataFolder, *, options: Options, report: Report) -> None:
        self.fleet = fleet
        self.data = data
        self.port = options.port
        self.outer = options.outer
        self._profile = options.profile
        self.units: dict[str, Unit] = {}
        self.urls: dict[str, str] = {}
        self.is_up = False
        self._report = report
        self._began = monotonic()
        self.gateway = GatewayFiles(xds=data.xds, admin=data.socket("envoy.sock"))
        self._ready: dict[str, bool] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._leave = asyncio.Event()
        self._hurry = asyncio.Event()

    @property
    def url(self) -> str:
        """The gateway."""
        return f"http://{_HOST}:{self.port}"

    async def start(self) -> None:
        """Start everything and wait until all of it is ready. Raises ConfigurationError or StartFailed."""
        self._lock = take_lock(self.data)
        check_port(_HOST, self.port)
        servers = choose_servers(self.fleet, self._profile, outer=self.outer)
        check_databases(self.data, self._databases(*(server.lasting_urls for server in servers)))
        self.data.create()
        ensure_keys(self.data, self.fleet.services)
        self.gateway.write_static(host=_HOST, port=self.port, access_log=Path("/dev/stdout"))
        self.gateway.write_routes(self.fleet.routes, timeout_seconds=self.fleet.gateway.timeout_seconds)
        self.gateway.write_clusters(self.fleet.services)
        self.directory = Directory(self.fleet.services, self.data, self.gateway)
        self.urls = {**given_urls(self.outer), **backing_urls(self.fleet, outer=self.outer)}
        for server in servers:
            self.urls |= server.urls
        self._handle_signals()
        control = self.data.socket("control.sock")
        self._server = await serve_control(control, self.answer)
        self._write_state(control)
        self._spawn_task(keep_logs_small(self.data))
        jobs = [*(server_job(server, self.data, outer=self.outer) for server in servers), *self._jobs()]
        await self._bring_up(job for job in jobs if job.role in _FOUNDATIONS)
        self.open_databases(self.fleet)
        self._write_state(control)
        await self._bring_up(job for job in jobs if job.role not in _FOUNDATIONS)
        await self._finish_start()

    async def seed(self) -> None:
        """Fill the shop, once for each data folder. Raises StartFailed."""
        began = monotonic()
        if await seed_shop(self.fleet, self.data, outer=self.outer, urls=self.urls):
            self._report("seeded", {"seconds": monotonic() - began})

    def announce_up(self) -> None:
        """Tell those who wait for a detached launcher that everything is done."""
        self.is_up = True

    def employ(self, job: Job) -> Unit:
        """Start to keep a process running."""
        unit = self.units[job.name] = Unit(job, self._on_change)
        self._spawn_task(unit.keep())
        return unit

    def open_databases(self, fleet: Fleet) -> None:
        """Make what *fleet* lacks on the server that holds all its databases. Raises ConfigurationError."""
        began = monotonic()
        opened = open_databases(fleet, self.data, {**self.outer, **self.urls})
        self.urls |= opened
        if opened and not self.is_leaving:
            self._report("databases", {"urls": list(opened.values()), "seconds": monotonic() - began})

    async def wait(self) -> None:
        """Wait until somebody asks the fleet to stop."""
        await self._leave.wait()

    @property
    def is_leaving(self) -> bool:
        """Whether somebody asked the fleet to stop."""
        return self._leave.is_set()

    async def stop(self) -> bool:
        """Drain: no new requests, then SIGTERM, then wait; SIGKILL at last. True when all ended by themselves."""
        self._leave.set()
        self._report("draining", {})
        services = [unit for unit in self.units.values() if unit.job.role == "server"]
        others = [unit for unit in self.units.values() if unit.job.role not in ("server", *_FOUNDATIONS)]
        foundations = [unit for unit in self.units.values() if unit.job.role in _FOUNDATIONS]
        before = self.directory.snapshot()
        for unit in services:
            unit.withdraw()
        await self.directory.wait_until_dropped(before, timeout=0.5)
        self._spawn_task(self._kill_when_hurried())
        for stage in (services, others, foundations):
            await asyncio.gather(*(unit.stop() for unit in stage))
        for task in self._tasks:
            task.cancel()
        self._server.close()
        self.data.socket("control.sock").unlink(missing_ok=True)
        self._report("stopped", {})
        return not self._hurry.is_set()

    async def _kill_when_hurried(self) -> None:
        await self._hurry.wait()
        for unit in self.units.values():
            unit.kill()

    async def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """Answer one question of another verb."""
        match question.get("do"):
            case "status":
                return self.status()
            case "memory":
                return {name: memory_of(unit) for name, unit in self.units.items()}
            case "is_up":
                return {"pid": os.getpid(), "up": self.is_up}
            case "down":
                self._leave.set()
                return {"pid": os.getpid()}
            case "restart":
                return await restart_units(self, str(question.get("name")))
            case "reload":
                return await reload_fleet(self)
            case _:
                return {"error": f"the launcher does not know how to do {question.get('do')!r}"}

    def status(self) -> dict[str, Any]:
        """The document of `bandstand status --json`."""
        databases = self._databases(self.urls)
        services = {name: (self.directory[name], databases[name]) for name in self.fleet.services}
        bus = bus_url(self.fleet, self.data, {**self.outer, **self.urls})
        provider = self.urls.get("PAYMENT_PROVIDER_URL")
        return document_of(self.units.values(), services=services, gateway=self.url, provider=provider, bus=bus)

    def _databases(self, *urls: Mapping[str, str]) -> dict[str, str]:
        found = dict(ChainMap(*map(dict, urls), dict(self.outer)))
        return {name: database_url(self.fleet, self.data, name, found) for name in self.fleet.services}

    # -- starting ------------------------------------------------------------------------------------------------

    def _jobs(self) -> list[Job]:
        return [
            *service_jobs(self.fleet, self.data, outer=self.outer, urls=self.urls),
            gateway_job(self.fleet, self.data, self.gateway, outer=self.outer, port=self.port),
            *backing_jobs(self.fleet, self.data, outer=self.outer, urls=self.urls),
        ]

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal)

    def _on_signal(self) -> None:
        (self._hurry if self._leave.is_set() else self._leave).set()

    def _write_state(self, control: Path) -> None:
        state = {"pid": os.getpid(), "started_at": rfc3339(now()), "fleet": str(self.fleet.file),
                 "control": str(control), "gateway": self.url, "urls": self.urls}  # fmt: skip
        replace_file(self.data.state, json.dumps(state), mode=0o600)  # the URLs of databases hold passwords

    async def _bring_up(self, jobs: Iterable[Job]) -> None:
        """Start the processes and wait until each is ready, or somebody asks the fleet to stop."""
        if not self.is_leaving:
            await until_ready([self.employ(job) for job in jobs], unless=self._leave)

    async def _finish_start(self) -> None:
        refused = await self.gateway.refusals()
        if refused:
            raise StartFailed(f"the gateway refused its configuration: {refused}")
        await self._register_webhooks()
        if not self.is_leaving:
            self._report("up", {"seconds": monotonic() - self._began})

    # -- running -------------------------------------------------------------------------------------------------

    def _on_change(self, unit: Unit) -> None:
        if unit.job.role == "server":
            self.directory.update(unit.job.service, self.units)
        is_ready = bool(unit.addresses)
        if is_ready == self._ready.get(unit.job.name, False):
            return
        self._ready[unit.job.name] = is_ready
        if is_ready:
            seconds = monotonic() - self._began
            self._report("ready", {"name": unit.job.name, "seconds": seconds, "memory": memory_of(unit)})
            if unit.job.role == "provider" and unit.restarts:
                self._spawn_task(self._register_webhooks())
        elif not self._leave.is_set():
            state = unit.current.state if unit.current else State.STOPPED
            self._report("down", {"name": unit.job.name, "state": state})

    async def _register_webhooks(self) -> None:
        await register_webhooks(self.fleet, self.data, outer=self.outer, urls=self.urls, gateway=self.url)

    def _spawn_task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
