"""TLS in front of a server that speaks none."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bandstand.engines.ports import free_port


@contextmanager
def tls_in_front_of(port: int, certificate: Path) -> Iterator[int]:
    """The port of a proxy that takes TLS off, for as long as the block lasts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    mine = free_port()

    async def open_() -> asyncio.Server:
        return await asyncio.start_server(lambda *pair: _joined(*pair, port), "127.0.0.1", mine, ssl=context)

    async def close(server: asyncio.Server) -> None:
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    server = asyncio.run_coroutine_threadsafe(open_(), loop).result(10)
    try:
        yield mine
    finally:
        asyncio.run_coroutine_threadsafe(close(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _joined(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    theirs, ours = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.gather(_pumped(reader, ours), _pumped(theirs, writer))


async def _pumped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
