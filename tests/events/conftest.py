"""The stage as a fixture."""

from collections.abc import Iterator

import pytest
from tests.events import postgres
from tests.events.staging import Stage, own_registry, staged

from bandstand.events import wakeups
from bandstand.testing.engines import RunningEngine


@pytest.fixture(autouse=True)
def _own_registry() -> Iterator[None]:
    with own_registry():
        yield


@pytest.fixture
def stage(tmp_path, transactional_db, request) -> Iterator[Stage]:
    """Settings may come as `@pytest.mark.parametrize("stage", [{…}], indirect=True)`."""
    with staged(tmp_path, **getattr(request, "param", {})) as found:
        yield found


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory, django_db_blocker) -> Iterator[RunningEngine]:
    """A PostgreSQL of this session."""
    with django_db_blocker.unblock(), postgres.migrated_server(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server, django_db_blocker) -> Iterator[str]:
    """A database of its own on PostgreSQL, which Django knows as `postgres`."""
    with django_db_blocker.unblock(), postgres.database(postgres_server) as url:
        yield url


@pytest.fixture
def postgres_stage(tmp_path, postgres_url, request) -> Iterator[Stage]:
    """The stage with outbox and inbox on PostgreSQL."""
    with staged(tmp_path, DATABASE=postgres.ALIAS, **getattr(request, "param", {})) as found:
        yield found
        wakeups.close()


@pytest.fixture
def theatre(request, tmp_path) -> Iterator[Stage]:
    """The stage on the database and with the settings that `staging.on_both` asks for."""
    database, settings = request.param
    if database != "default":
        request.getfixturevalue("postgres_url")
    with staged(tmp_path, DATABASE=database, **settings) as found:
        yield found
        wakeups.close()
