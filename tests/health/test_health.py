"""Readiness speaks of what the process owns, in bounded time; nothing else can fail it."""

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from bandstand import health
from bandstand.health import Check, checks, database, probes, register_check
from bandstand.testing.clock import held_clock

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    """Leave the checks as they were, each with no answer remembered."""
    before = checks.registered_checks()
    for check in before:
        register_check(check)
    yield
    for check in checks.registered_checks():
        checks.forget_check(check.name)
    for check in before:
        register_check(check)


def failing() -> None:
    raise ConnectionError("host=10.1.2.3 password=hunter2")


def test_a_process_with_its_database_and_migrations_is_ready() -> None:
    assert health.readiness().ok
    assert health.startup().ok
    assert health.report()["status"] == "healthy"


def test_what_is_not_critical_degrades_and_never_makes_unready() -> None:
    register_check(Check(name="mail", run=failing))
    assert health.readiness().ok
    assert health.report()["status"] == "degraded"


def test_a_critical_failure_makes_unready_and_recovers_by_itself() -> None:
    broken = True

    def disk() -> None:
        if broken:
            raise OSError("No space left on device")

    register_check(Check(name="disk", run=disk, critical=True))
    with held_clock() as held:
        assert health.readiness().failing == ("disk",)
        assert health.report()["status"] == "unhealthy"
        broken = False
        held.advance(2)
        assert health.readiness().ok


def test_the_public_report_shows_neither_cause_nor_facts() -> None:
    register_check(Check(name="mail", run=failing))
    assert "hunter2" not in str(health.report())
    assert "10.1.2.3" in str(health.report(detail=True))


def test_a_check_that_hangs_is_a_timeout_and_is_not_asked_twice_at_once() -> None:
    release, asked = threading.Event(), []

    def hang() -> None:
        asked.append(1)
        release.wait(10)

    check = Check(name="slow", run=hang, critical=True, timeout=timedelta(milliseconds=20))
    register_check(check)
    try:
        for _ in range(3):
            assert health.readiness().failing == ("slow",)
        assert asked == [1]
        assert [result.problem for result in health.readiness().results if not result.ok] == ["timed out"]
    finally:
        release.set()


def test_answers_are_good_for_a_second() -> None:
    asked: list[int] = []
    register_check(Check(name="counted", run=lambda: asked.append(1), critical=True))
    with held_clock() as held:
        for _ in range(5):
            health.readiness()
        assert len(asked) == 1
        held.advance(1.1)
        health.readiness()
        assert len(asked) == 2


def test_checks_are_asked_side_by_side() -> None:
    meeting = threading.Barrier(3, timeout=10)
    for name in ("a", "b", "c"):
        register_check(
            Check(name=name, run=lambda: meeting.wait() and None, critical=True, timeout=timedelta(seconds=10))
        )
    assert health.readiness().ok


def test_migrations_on_disk_that_the_database_has_not_seen_are_pending(monkeypatch: pytest.MonkeyPatch) -> None:
    assert database.pending_migrations() == []
    from django.db.migrations.recorder import MigrationRecorder

    recorder = MigrationRecorder.Migration.objects
    recorder.filter(app="auth", name="0001_initial").delete()
    assert database.pending_migrations() == ["auth.0001_initial"]


def test_pending_migrations_keep_startup_and_readiness_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "_is_migrated", False)
    monkeypatch.setattr(probes, "pending_migrations", lambda: ["orders.0002_more"])
    with held_clock() as held:
        assert health.startup().failing == ("migrations",)
        assert health.readiness().failing == ("migrations",)
        monkeypatch.setattr(probes, "pending_migrations", list)
        held.advance(2)
        assert health.startup().ok
        monkeypatch.setattr(probes, "pending_migrations", lambda: ["orders.0003_newer_release"])
        held.advance(2)
        assert health.startup().ok


def test_liveness_asks_neither_database_nor_checks() -> None:
    register_check(Check(name="database", run=failing, critical=True))
    assert health.liveness().ok
    assert not health.readiness().ok


def test_withdrawals_add_up() -> None:
    health.withdraw("draining")
    health.withdraw("restoring")
    try:
        assert health.readiness().failing == ("draining", "restoring")
        health.restore("draining")
        assert health.readiness().failing == ("restoring",)
    finally:
        health.restore("restoring")
    assert health.readiness().ok
