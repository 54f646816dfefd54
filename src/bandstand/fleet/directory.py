"""Who is ready, told to those who must know: the services' discovery by a registry file, the gateway by its own."""

import json
from collections.abc import Iterable, Mapping

from bandstand.fleet.gateway.files import GatewayFiles
from bandstand.fleet.layout import DataFolder, replace_file
from bandstand.fleet.unit import Unit

__all__ = ["Address", "Directory"]

Address = tuple[str, int]


class Directory:
    """The ready instances of each service, written anew whenever they change."""

    def __init__(self, services: Iterable[str], data: DataFolder, gateway: GatewayFiles) -> None:
        self._addresses: dict[str, list[Address]] = {name: [] for name in services}
        self._registry = data.registry
        self._gateway = gateway
        self._write()

    def __getitem__(self, service: str) -> list[Address]:
        """Where requests for *service* may be sent now."""
        return self._addresses[service]

    def update(self, service: str, units: Mapping[str, Unit]) -> None:
        """Ask the units of *service* who is ready. The registry is written first: it is the slower to be read."""
        found = sorted(each for unit in units.values() if unit.job.service == service for each in unit.addresses)
        if found != self._addresses[service]:
            self._addresses[service] = found
            self._write()
            self._gateway.write_endpoints(service, found)

    def add(self, service: str) -> None:
        """Know a service that has no instance yet."""
        self._addresses.setdefault(service, [])
        self._write()

    def remove(self, service: str) -> None:
        """Forget a service."""
        del self._addresses[service]
        self._write()

    async def wait_until_dropped(self, before: Mapping[str, list[Address]], *, timeout: float) -> None:
        """Wait until the gateway sends nothing more to the addresses of *before*."""
        for name, gone in before.items():
            await self._gateway.wait_for(name, absent=gone, timeout=timeout)

    def snapshot(self) -> dict[str, list[Address]]:
        """What is known now."""
        return dict(self._addresses)

    def _write(self) -> None:
        listed = {name: [f"http://{host}:{port}" for host, port in found] for name, found in self._addresses.items()}
        replace_file(self._registry, json.dumps({"services": listed}))
