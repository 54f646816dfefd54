"""The audit over real databases and a real provider: what it reads, what it waits for, what it refuses to pass."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.chaos.provider_process import ProviderProcess
from tests.chaos.world import CONSUMERS, LEDGER, SteppedClock, healthy, lay, sql

from bandstand import clock
from bandstand.chaos.audit import FactsUnreadable, Report, audit, audit_at_rest, pending, read_consumers, read_journal
from bandstand.chaos.provider.records import encode


@pytest.fixture
def stepped() -> Iterator[SteppedClock]:
    stepped = SteppedClock()
    previous = clock.install(stepped)
    yield stepped
    clock.install(previous)


@pytest.fixture(scope="module")
def provider_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    ledger = tmp_path_factory.mktemp("provider") / "ledger.jsonl"
    ledger.write_bytes(b"".join(map(encode, LEDGER)))
    process = ProviderProcess(ledger)
    yield process.url
    process.stop()


@pytest.fixture
def status(tmp_path: Path, provider_url: str, stepped: SteppedClock) -> dict[str, Any]:
    return {"provider": provider_url, "services": lay(healthy(), tmp_path)}


def broken(report: Report) -> list[str]:
    return [f"{finding.invariant.id} {each.what}" for finding in report.findings for each in finding.violations]


def absent(report: Report) -> set[str]:
    return {source for finding in report.findings for source in finding.absent if finding.was_asked}


def test_a_healthy_shop_passes(status: dict[str, Any]) -> None:
    report = audit(status, consumers=CONSUMERS)
    assert (broken(report), absent(report), report.pending, report.holds) == ([], set(), {}, True)


@pytest.mark.parametrize(
    ("service", "statement", "complaint"),
    [
        ("inventory", "UPDATE audit_stock_source SET sold = 3", "I1"),
        ("orders", "DELETE FROM audit_orders_source WHERE order_id = 'paid'", "I3 captured 500 for no order"),
        ("notifications", "DELETE FROM audit_inbox_source", "I4"),
    ],
)
def test_a_fault_in_a_database_is_found(
    status: dict[str, Any], tmp_path: Path, service: str, statement: str, complaint: str
) -> None:
    sql(tmp_path, service, statement)
    report = audit(status, consumers=CONSUMERS)
    assert not report.holds
    assert [each for each in broken(report) if each.startswith(complaint)]


def test_what_cannot_be_read_is_named_and_never_passed(status: dict[str, Any], tmp_path: Path) -> None:
    sql(tmp_path, "products", "DROP VIEW audit_availability")
    del status["services"]["payments"]
    (tmp_path / "notifications.sqlite3").write_bytes(b"no database" * 1000)
    report = audit({**status, "provider": "http://127.0.0.1:9"}, consumers=None)
    assert not report.holds
    assert {"products.audit_availability", "payments.audit_payments", "notifications.audit_inbox", "provider",
            "consumers"} <= absent(report)  # fmt: skip


def test_the_audit_writes_nothing(status: dict[str, Any], tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    audit(status, consumers=CONSUMERS)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_it_waits_until_the_fleet_is_at_rest(status: dict[str, Any], tmp_path: Path, stepped: SteppedClock) -> None:
    sql(tmp_path, "orders", "UPDATE audit_outbox_source SET state = 'pending' WHERE sequence = 6")
    sql(tmp_path, "orders", "UPDATE audit_sagas_source SET state = 'waiting' WHERE business_key = 'late'")
    sql(tmp_path, "orders", "UPDATE audit_orders_source SET status = 'pending' WHERE order_id = 'late'")
    assert pending(status) == {"events to deliver": 1, "live sagas": 1, "pending orders": 1}

    def heal() -> None:
        sql(tmp_path, "orders", "UPDATE audit_outbox_source SET state = 'delivered'")
        sql(tmp_path, "orders", "UPDATE audit_sagas_source SET state = 'compensated' WHERE business_key = 'late'")
        sql(tmp_path, "orders", "UPDATE audit_orders_source SET status = 'cancelled' WHERE order_id = 'late'")

    stepped.meanwhile = heal
    assert audit_at_rest(status, wait=timedelta(seconds=60), consumers=CONSUMERS).holds


def test_it_gives_up_when_the_fleet_does_not_come_to_rest(
    status: dict[str, Any], tmp_path: Path, stepped: SteppedClock
) -> None:
    sql(tmp_path, "orders", "UPDATE audit_orders_source SET status = 'pending' WHERE order_id = 'late'")
    report = audit_at_rest(status, wait=timedelta(seconds=60), consumers=CONSUMERS)
    assert (report.holds, report.is_quiescent, report.pending) == (False, False, {"pending orders": 1})
    assert 60 <= stepped.slept < 61


def test_a_consumer_that_lags_is_given_a_moment(status: dict[str, Any], tmp_path: Path, stepped: SteppedClock) -> None:
    sql(tmp_path, "notifications", "UPDATE audit_inbox_source SET consumer = 'nobody'")
    name = "notifications.mail_confirmation"
    stepped.meanwhile = lambda: sql(tmp_path, "notifications", f"UPDATE audit_inbox_source SET consumer = '{name}'")
    assert audit_at_rest(status, wait=timedelta(seconds=60), consumers=CONSUMERS).holds


def test_what_no_moment_can_mend_is_told_at_once(status: dict[str, Any], tmp_path: Path, stepped: SteppedClock) -> None:
    sql(tmp_path, "inventory", "UPDATE audit_stock_source SET sold = 3")
    assert not audit_at_rest(status, wait=timedelta(seconds=60), consumers=CONSUMERS).holds
    assert stepped.slept == 0


def test_a_journal_is_read_line_by_line_and_a_torn_end_is_forgiven(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    answer = '{"type": "answer", "at": "2026-05-04T10:00:00Z", "key": "k", "status": 202, "order_id": "o"}\n'
    journal.write_text(answer + '{"type": "att')
    [entry] = read_journal(journal)
    assert (entry.key, entry.status, entry.at) == ("k", 202, datetime(2026, 5, 4, 10, tzinfo=UTC))
    journal.write_text(answer + "nonsense\n" + answer)
    with pytest.raises(FactsUnreadable, match="line 2"):
        read_journal(journal)


def test_consumers_come_from_a_file_that_may_be_missing(tmp_path: Path) -> None:
    assert read_consumers(tmp_path / "consumers.json") is None
    (tmp_path / "consumers.json").write_text('{"inventory.create_stock": ["products.product_created.v1"]}')
    assert read_consumers(tmp_path / "consumers.json") == {"inventory.create_stock": ["products.product_created.v1"]}
    (tmp_path / "consumers.json").write_text("[]")
    with pytest.raises(FactsUnreadable):
        read_consumers(tmp_path / "consumers.json")
