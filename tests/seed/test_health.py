"""The articles' health checks, R14 and checklist 44, 47: each fault shown, and mended in ours."""

from collections.abc import Callable

import pytest

from bandstand import health
from bandstand.health import Check, checks, register_check
from bandstand.testing.clock import held_clock

pytestmark = pytest.mark.django_db


class ArticlesService:
    """Its health asks the health of those it depends on, and is bad when one of theirs is."""

    asked = 0

    def __init__(self) -> None:
        self.dependencies: list[ArticlesService] = []

    def healthy(self) -> bool:
        ArticlesService.asked += 1
        if ArticlesService.asked > 100:
            raise TimeoutError
        return all(dependency.healthy() for dependency in self.dependencies)


@pytest.fixture
def register() -> object:
    """Register checks for one test."""
    names: list[str] = []

    def registering(check: Check) -> None:
        names.append(check.name)
        register_check(check)

    yield registering
    for name in names:
        checks.forget_check(name)


def test_r14_two_services_that_ask_each_others_health_never_end() -> None:
    one, other = ArticlesService(), ArticlesService()
    one.dependencies, other.dependencies = [other], [one]
    with pytest.raises(TimeoutError):
        one.healthy()
    assert ArticlesService.asked > 100


def test_r14_ours_knows_no_other_service() -> None:
    """What is reported is the process's own: nothing in the report could ask somebody else in turn."""
    assert set(health.report()["checks"]) <= {"database", "migrations", "disk_space", "memory", "relay"}


def test_47_a_dead_dependency_makes_the_articles_service_unhealthy() -> None:
    def check_external_services() -> bool:
        return False  # payments is down

    ready = all(check() for check in (lambda: True, check_external_services))
    assert not ready  # and so orders is restarted, and whoever depends on orders


def test_47_ours_reports_a_dead_dependency_and_stays_ready(register: Callable[[Check], None]) -> None:
    def payments() -> None:
        raise ConnectionError("payments is down")

    register(Check(name="payments", run=payments))
    assert health.readiness().ok
    assert health.liveness().ok
    assert health.report()["status"] == "degraded"


def test_44_the_articles_readiness_asks_everything_in_series_and_takes_the_sum() -> None:
    with held_clock() as held:
        began = held.monotonic()
        for _ in range(3):
            held.sleep(5)  # three external services, each at its timeout
        assert held.monotonic() - began == 15  # the kubelet gave up after 1


def test_44_ours_asks_only_what_is_critical(register: Callable[[Check], None]) -> None:
    asked: list[str] = []
    register(Check(name="mail", run=lambda: asked.append("mail")))
    register(Check(name="disk", run=lambda: asked.append("disk"), critical=True))
    health.readiness()
    assert asked == ["disk"]
