"""How the other verbs talk to a running launcher: one JSON line there, one back, over a Unix socket."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from bandstand.fleet.layout import DataFolder

__all__ = ["NotRunning", "ask_launcher", "serve_control"]

_LINE_BYTES = 4 * 1024 * 1024

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class NotRunning(Exception):
    """No launcher answers for this data folder."""


def ask_launcher(data: DataFolder, question: dict[str, Any], *, timeout: float = 10.0) -> dict[str, Any]:
    """Ask the launcher of *data*. Raises NotRunning, or TimeoutError when it does not answer in time."""
    state = data.read_state()
    if state is None:
        raise NotRunning(f"no fleet was ever started with {data.root}")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(state["control"])
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotRunning(f"the fleet of {data.root} is not running") from error
        connection.sendall(json.dumps(question).encode() + b"\n")
        with connection.makefile("rb") as answers:
            line = answers.readline()
    if not line:
        raise NotRunning(f"the launcher of {data.root} went away")
    answer: dict[str, Any] = json.loads(line)
    return answer


async def serve_control(path: Path, handler: Handler) -> asyncio.Server:
    """Answer questions on *path*, for the owner only. A handler's exception becomes `{"error": …}`."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, ValueError):
            question = json.loads(await reader.readline())
            try:
                answer = await handler(question)
            except Exception as error:  # noqa: BLE001 - whatever a verb met is the answer to that verb
                answer = {"error": str(error) or type(error).__name__}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    with suppress(FileNotFoundError):
        path.unlink()
    server = await asyncio.start_unix_server(converse, str(path), limit=_LINE_BYTES)
    path.chmod(0o600)
    return server
