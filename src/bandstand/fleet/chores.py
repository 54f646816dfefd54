"""What is done beside running processes: filling the shop, telling the provider where to report, cutting logs."""

import asyncio
import contextlib
import json
from collections.abc import Mapping

from bandstand.fleet.environment import manage_command, service_environment
from bandstand.fleet.http import ask
from bandstand.fleet.layout import DataFolder
from bandstand.fleet.logs import rotate, tail
from bandstand.fleet.manifest import Fleet
from bandstand.fleet.process import Process, spawn
from bandstand.fleet.unit import StartFailed

__all__ = ["keep_logs_small", "register_webhooks", "seed_shop"]

_ROTATE_EVERY = 10.0


async def seed_shop(fleet: Fleet, data: DataFolder, *, outer: Mapping[str, str], urls: Mapping[str, str]) -> bool:
    """Fill the databases through the services' own commands at once, once a data folder. Raises StartFailed.

    False when there was nothing to do.
    """
    seeded = [name for name, spec in fleet.services.items() if spec.seed]
    if not seeded or data.seeded.exists():
        return False
    running: dict[str, Process] = {}
    for name in seeded:
        command, folder = manage_command(fleet, name, "seed", "--skip-checks")
        env = service_environment(fleet, data, name, outer=outer, urls=urls, instance=f"{name}-seed")
        running[name] = spawn(command, cwd=folder, env=env, log=data.log("seed"))
    for name, process in running.items():
        if await process.exited:
            raise StartFailed(f"{name} cannot be seeded. It says:\n{tail(data.log('seed'), lines=15)}")
    data.seeded.touch()
    return True


async def register_webhooks(
    fleet: Fleet, data: DataFolder, *, outer: Mapping[str, str], urls: Mapping[str, str], gateway: str
) -> None:
    """Tell each backing server that reports where to, and with which secret."""
    secret = data.key("webhook.secret").read_text(encoding="utf-8")
    for spec in fleet.backing.values():
        if spec.webhook and not outer.get(spec.variable):
            host, _, port = urls[spec.variable].removeprefix("http://").partition(":")
            body = json.dumps({"url": gateway + spec.webhook, "secret": secret}).encode()
            await ask((host, int(port)), "/v1/webhook", method="PUT", body=body)


async def keep_logs_small(data: DataFolder) -> None:
    """Cut logs that grew too large, for ever."""
    while True:
        await asyncio.sleep(_ROTATE_EVERY)
        for log in (data.root / "logs").glob("*.log"):
            with contextlib.suppress(OSError):
                rotate(log)
