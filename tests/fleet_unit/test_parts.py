"""The launcher's smaller parts: files, logs, keys, environments, the control socket, the HTTP client."""

import asyncio
import json
import os
import stat
from pathlib import Path

import pytest

from bandstand.fleet.control import NotRunning, ask_launcher, serve_control
from bandstand.fleet.environment import service_environment
from bandstand.fleet.http import ask
from bandstand.fleet.keys import ensure_keys
from bandstand.fleet.layout import DataFolder, replace_file
from bandstand.fleet.logs import rotate, tail
from bandstand.fleet.manifest import read_manifest
from bandstand.fleet.proc import children_of, pss_bytes, started_at

ROOT = Path(__file__).parents[2]


def test_a_large_log_is_copied_aside_and_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "orders.log"
    with log.open("ab") as child:  # as the process that writes it
        child.write(b"old line\n" * 100)
        child.flush()
        assert rotate(log, limit_bytes=500)
        child.write(b"new line\n")
    assert log.read_bytes() == b"new line\n"
    assert (tmp_path / "orders.log.1").read_bytes() == b"old line\n" * 100
    assert not rotate(log, limit_bytes=500)
    for _ in range(4):
        log.write_bytes(b"x" * 600)
        rotate(log, limit_bytes=500)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["orders.log", "orders.log.1", "orders.log.2"]


def test_the_end_of_a_log_is_shown_without_reading_all_of_it(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(b"line\n" * 200_000 + b"last\n")
    assert tail(log, lines=2) == "line\nlast"
    assert tail(tmp_path / "none.log", lines=2) == ""


def test_a_line_of_a_log_ends_at_a_line_feed_and_nowhere_else(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("first\n{\u2028forged\x85forged\x0c}\n", encoding="utf-8")
    assert tail(log, lines=1) == "{\u2028forged\x85forged\x0c}"


def test_a_file_is_replaced_as_a_whole_and_secrets_are_closed_from_the_start(tmp_path: Path) -> None:
    replace_file(tmp_path / "key", "secret", mode=0o600)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_keys_are_made_once_and_only_public_halves_are_trusted(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    data.create()
    ensure_keys(data, ["users", "orders"])
    first = data.key("users.jwk").read_text()
    ensure_keys(data, ["users", "orders", "reviews"])
    assert data.key("users.jwk").read_text() == first
    trust = json.loads(data.trust.read_text())
    assert set(trust) == {"users", "orders", "reviews"}
    private = json.loads(first)
    assert private["d"] not in data.trust.read_text()
    assert trust["users"]["keys"][0]["kid"] == private["kid"]
    for path in (tmp_path / "keys").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_service_gets_its_own_values_and_nobody_elses(tmp_path: Path) -> None:
    outer = {"DATABASE_URL": "sqlite:///all", "ORDERS_DATABASE_URL": "postgresql://x/orders", "SECRET_KEY": "all",
             "PYTHONDONTWRITEBYTECODE": "1", "ORDERS_DEADLINE_SECONDS": "5", "LOG_LEVEL": "DEBUG"}  # fmt: skip
    urls = {"U": "http://u", "PAYMENTS_DATABASE_URL": "postgresql://x:secret@y/payments"}
    fleet, data = read_manifest(ROOT / "fleet.toml"), DataFolder(tmp_path)

    def env(service: str) -> dict[str, str]:
        return service_environment(fleet, data, service, outer=outer, urls=urls, instance=f"{service}-1")

    assert env("orders")["DATABASE_URL"] == "postgresql://x/orders"
    assert env("users")["DATABASE_URL"] == f"sqlite:///{tmp_path}/db/users.sqlite3"
    assert (env("payments")["DATABASE_URL"], env("users")["U"]) == (urls["PAYMENTS_DATABASE_URL"], "http://u")
    assert not [name for name in env("users") if name.endswith("_DATABASE_URL")]
    assert "SECRET_KEY" not in env("users")
    assert "PYTHONDONTWRITEBYTECODE" not in env("users")
    assert (env("orders")["ORDERS_DEADLINE_SECONDS"], env("orders")["LOG_LEVEL"]) == ("5", "DEBUG")
    assert env("orders")["PYTHONPATH"].split(":")[0] == str(ROOT / "services" / "orders")


def test_a_socket_path_that_is_too_long_gets_a_short_one(tmp_path: Path) -> None:
    deep = DataFolder(tmp_path / ("long" * 40))
    path = deep.socket("control.sock")
    assert len(os.fsencode(path)) <= 107
    assert path == deep.socket("control.sock")
    assert path != DataFolder(tmp_path / ("long" * 41)).socket("control.sock")
    assert DataFolder(Path("/tmp/x")).socket("control.sock") == Path("/tmp/x/control.sock")


def test_the_control_socket_answers_its_owner_and_reports_faults(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)

    async def handle(question: dict[str, object]) -> dict[str, object]:
        return {"half": 10 // int(str(question["by"]))}

    async def converse() -> list[object]:
        server = await serve_control(tmp_path / "control.sock", handle)
        data.state.write_text(json.dumps({"control": str(tmp_path / "control.sock")}))
        async with server:
            return [await asyncio.to_thread(ask_launcher, data, {"by": by}) for by in (2, 0)]

    good, bad = asyncio.run(converse())
    assert good == {"half": 5}
    assert bad == {"error": "integer division or modulo by zero"}
    assert stat.S_IMODE((tmp_path / "control.sock").stat().st_mode) == 0o600
    with pytest.raises(NotRunning):
        ask_launcher(data, {"by": 1})


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nhello",
    ],
)
def test_an_answer_is_read_however_it_is_framed(raw: bytes) -> None:
    async def exchange() -> tuple[int, bytes] | None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(raw)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            return await ask(server.sockets[0].getsockname(), "/")

    assert asyncio.run(exchange()) == (200, b"hello")


def test_nobody_there_is_no_answer() -> None:
    assert asyncio.run(ask(("127.0.0.1", 1), "/")) is None


def test_the_kernel_tells_about_processes() -> None:
    assert pss_bytes(os.getpid()) > 1_000_000
    assert started_at(os.getpid()) is not None
    assert started_at(2**22 + 1) is None
    assert children_of(2**22 + 1) == []
