"""A clean slate, and each database in turn."""

from collections.abc import Iterator

import pytest

from bandstand.events import wakeups
from bandstand.testing.engines import RunningEngine
from tests.events import postgres
from tests.tasks import jobs
from tests.tasks.staging import configured


@pytest.fixture(autouse=True)
def _clean_slate() -> Iterator[None]:
    jobs.ran.clear()
    jobs.gate.clear()
    yield
    jobs.gate.set()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory, django_db_blocker) -> Iterator[RunningEngine]:
    """A PostgreSQL of this session."""
    folder = tmp_path_factory.mktemp("postgres")
    with django_db_blocker.unblock(), postgres.migrated_server(folder, "bandstand_tasks") as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, transactional_db, django_db_blocker) -> Iterator[str]:
    """The alias of an empty database: once on SQLite, once on PostgreSQL."""
    if request.param == "sqlite":
        yield "default"
        return
    server = request.getfixturevalue("postgres_server")
    with django_db_blocker.unblock(), postgres.database(server), configured(DATABASE=postgres.ALIAS):
        yield postgres.ALIAS
        wakeups.close()
