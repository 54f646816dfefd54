"""`bandstand contracts` on a copy of the project's services: what a careless change is told."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fleet_unit.fleets import bandstand

ROOT = Path(__file__).parents[2]
RENAMED = 'class OrderConfirmed(Event, name="orders.order_confirmed.v1", subject="order_id"):'


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The services, their contracts and the manifest."""
    for folder in ("services", "contracts"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "fleet.toml", tmp_path)
    return tmp_path


def edited(path: Path, change: Callable[[str], str]) -> None:
    """Change a file; it must be another one then."""
    before = path.read_text()
    path.write_text(change(before))
    assert path.read_text() != before


def line_of(path: Path, *texts: str) -> int:
    """The line of the last of *texts*, each looked for after the one before."""
    source, at = path.read_text(), 0
    for text in texts:
        at = source.index(text, at)
    return source.count("\n", 0, at) + 1


def test_renaming_a_published_field_names_consumer_file_and_line(shop: Path) -> None:
    def rename(source: str) -> str:
        before, _, after = source.partition(RENAMED)
        return before + RENAMED + after.replace("user_id: UUID", "customer_id: UUID", 1)

    edited(shop / "services/orders/orders/events.py", rename)
    done = bandstand("contracts", "check", cwd=shop)
    assert done.returncode == 1
    assert "orders.order_confirmed.v1: field 'user_id' was removed; is 'customer_id' its new name?" in done.stderr
    consumers = shop / "services/notifications/notifications/consumers"
    facts = consumers / "facts.py"
    field = line_of(facts, 'name="orders.order_confirmed.v1"', "user_id: UUID")
    (told,) = [line for line in done.stderr.splitlines() if "notifications.tell_confirmation" in line]
    assert f"{facts.relative_to(shop)}:{field}" in told
    handler = next(path for path in consumers.glob("*.py") if "def tell_confirmation" in path.read_text())
    assert f"handler {handler.relative_to(shop)}:{line_of(handler, 'def tell_confirmation') - 1}" in told

    document = json.loads(bandstand("contracts", "check", "--json", cwd=shop).stdout)
    (broken,) = document["broken"]
    assert (document["clean"], broken["event"], broken["field"]) == (False, "orders.order_confirmed.v1", "user_id")
    assert "notifications.tell_confirmation" in {reader["consumer"] for reader in broken["readers"]}


def test_writing_refuses_what_breaks_a_promise_and_records_an_addition(shop: Path) -> None:
    events = shop / "services/orders/orders/events.py"
    contract = shop / "contracts/events/orders.order_rejected.v1.json"
    committed = contract.read_text()
    original = events.read_text()
    edited(events, lambda source: source.replace("    reason: str\n", "", 1))
    refused = bandstand("contracts", "write", cwd=shop)
    assert refused.returncode == 1
    assert "field 'reason' was removed" in refused.stderr
    assert contract.read_text() == committed

    events.write_text(original.replace("    reason: str\n", '    reason: str\n    detail: str = ""\n', 1))
    assert bandstand("contracts", "check", cwd=shop).returncode == 1, "an addition is to be written down"
    assert bandstand("contracts", "write", cwd=shop).returncode == 0
    assert "detail" in contract.read_text()
    assert bandstand("contracts", "check", cwd=shop).returncode == 0


def test_the_shop_keeps_its_contracts() -> None:
    done = bandstand("contracts", "check", cwd=ROOT)
    assert done.returncode == 0, done.stderr
