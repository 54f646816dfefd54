"""The smallest clients that the launcher needs: one question, one connection, a deadline; HTTP, or any other bytes."""

import asyncio
from pathlib import Path
from typing import NamedTuple

__all__ = ["Answer", "ask", "converse"]

_LIMIT_BYTES = 16 * 1024 * 1024


class Answer(NamedTuple):
    """Status and body of an answer."""

    status: int
    body: bytes


async def ask(
    where: tuple[str, int] | Path, path: str, *, method: str = "GET", body: bytes = b"", timeout: float = 2.0
) -> Answer | None:
    """Send one request and read the whole answer; None when there was none in *timeout* seconds."""
    try:
        async with asyncio.timeout(timeout):
            return await _exchange(where, path, method, body)
    except (OSError, ValueError, EOFError, TimeoutError):
        return None


async def converse(
    where: tuple[str, int], question: bytes, *, length: int, farewell: bytes = b"", timeout: float = 2.0
) -> bytes | None:
    """Say *question* and *farewell*; the first *length* bytes of the answer in between, None when it was shorter."""
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(*where)
            try:
                writer.write(question)
                answer = await reader.readexactly(length)
                writer.write(farewell)
                await writer.drain()
            finally:
                writer.close()
    except (OSError, EOFError, TimeoutError):
        return None
    return answer


async def _exchange(where: tuple[str, int] | Path, path: str, method: str, body: bytes) -> Answer:
    if isinstance(where, Path):
        reader, writer = await asyncio.open_unix_connection(str(where), limit=_LIMIT_BYTES)
    else:
        reader, writer = await asyncio.open_connection(*where, limit=_LIMIT_BYTES)
    try:
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
        kind = "Content-Type: application/json\r\n" if body else ""
        writer.write(f"{head}{kind}\r\n".encode() + body)
        received = await reader.readuntil(b"\r\n\r\n")
        lines = received.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        return Answer(status, await _body(reader, headers))
    finally:
        writer.close()


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        parts = []
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            parts.append(await reader.readexactly(size))
            await reader.readexactly(2)
        return b"".join(parts)
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    return await reader.read(_LIMIT_BYTES)
