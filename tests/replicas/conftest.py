"""The service that keeps the replica: on its own database, and on PostgreSQL."""

from collections.abc import Iterator

import pytest
from django.db import connections

from bandstand.events import wakeups
from bandstand.replicas.consuming import register
from bandstand.replicas.declaration import Declaration, declaration
from bandstand.testing.engines import RunningEngine
from tests.events import postgres
from tests.events.staging import Stage, own_registry, staged
from tests.replicas.world import City


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory, django_db_blocker) -> Iterator[RunningEngine]:
    """A PostgreSQL of this session, whose databases have the tables of replicas."""
    folder = tmp_path_factory.mktemp("postgres")
    with django_db_blocker.unblock(), postgres.migrated_server(folder, "bandstand_replicas") as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, transactional_db, django_db_blocker) -> Iterator[str]:
    """The alias of an empty database: once on SQLite, once on PostgreSQL."""
    if request.param == "sqlite":
        yield "default"
        return
    server = request.getfixturevalue("postgres_server")
    with django_db_blocker.unblock(), postgres.database(server):
        with connections[postgres.ALIAS].schema_editor() as editor:
            editor.create_model(City)
        yield postgres.ALIAS
        wakeups.close()


@pytest.fixture
def settings_of_events(request) -> dict[str, object]:
    return getattr(request, "param", {})


@pytest.fixture
def stage(tmp_path, database, settings_of_events) -> Iterator[Stage]:
    with own_registry(), staged(tmp_path, DATABASE=database, **settings_of_events) as found:
        yield found


@pytest.fixture
def cities(stage) -> Declaration:
    """The replica, kept by its events."""
    found = declaration(City)
    register(found)
    return found
