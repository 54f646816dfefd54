"""`bandstand audit` asks the running launcher where everything is, and its exit code says what was found."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.chaos.provider_process import ProviderProcess
from tests.chaos.world import CONSUMERS, LEDGER, SteppedClock, healthy, lay, sql

from bandstand import clock
from bandstand.chaos.provider.records import encode
from bandstand.cli.verbs import main
from bandstand.fleet.control import serve_control
from bandstand.fleet.layout import DataFolder


@contextmanager
def answering(data: DataFolder, status: dict[str, Any]) -> Iterator[None]:
    """Stand in for a launcher: answer every question with *status*."""
    loop = asyncio.new_event_loop()

    async def answer(_question: dict[str, Any]) -> dict[str, Any]:
        return status

    server = loop.run_until_complete(serve_control(data.socket("control.sock"), answer))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    data.state.write_text(json.dumps({"control": str(data.socket("control.sock")), "fleet": "fleet.toml"}))
    yield
    loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Path]:
    """A fleet as the verb sees it: a launcher that answers, databases, a provider, contracts."""
    previous = clock.install(SteppedClock())
    (tmp_path / "ledger").write_bytes(b"".join(map(encode, LEDGER)))
    provider = ProviderProcess(tmp_path / "ledger")
    (tmp_path / "consumers.json").write_text(json.dumps(CONSUMERS))
    with answering(DataFolder(tmp_path), {"provider": provider.url, "services": lay(healthy(), tmp_path)}):
        yield tmp_path
    provider.stop()
    clock.install(previous)


def audit(folder: Path, *options: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["audit", "--data", str(folder), "--contracts", str(folder), *options])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_a_healthy_fleet_exits_0(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit(fleet) == 0
    assert "All invariants hold over 3 orders." in capsys.readouterr().out


def test_a_violation_exits_1_and_machines_can_read_it(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sql(fleet, "inventory", "UPDATE audit_stock_source SET sold = 3")
    assert audit(fleet, "--json", "--wait", "60") == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["holds"], report["quiescent"], report["invariants"][0]["holds"]) == (False, True, False)
    assert report["invariants"][0]["violations"][0]["subject"] == "SKU-1"


def test_a_fleet_that_does_not_come_to_rest_exits_4(fleet: Path) -> None:
    sql(fleet, "orders", "UPDATE audit_orders_source SET status = 'pending' WHERE order_id = 'late'")
    assert audit(fleet, "--wait", "1") == 4


def test_a_fleet_that_does_not_run_exits_3(tmp_path: Path) -> None:
    assert audit(tmp_path) == 3


def test_a_journal_that_cannot_be_read_is_wrong_usage(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (fleet / "journal").write_text("nonsense\n")
    assert audit(fleet, "--journal", str(fleet / "journal")) == 2
    assert "line 1" in capsys.readouterr().err
