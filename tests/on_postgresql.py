"""The second pass, as a pytest plugin: of all tests those that a project's database on PostgreSQL could change.

Used with `DATABASE_URL` set. What is about SQLite itself says so by `@pytest.mark.sqlite(reason=…)`; what uses the
project's database in processes of its own, by `@pytest.mark.database`. What is left out is deselected, never skipped.
"""

import pytest

# Tests with one of these have been on a PostgreSQL of their own in the first pass.
_SERVED = {"database", "postgres_server", "postgres_stage", "postgres_url", "theatre"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep what is worth its time."""
    left_out = [item for item in items if not _is_worth_it(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


def _is_worth_it(item: pytest.Item) -> bool:
    fixtures = set(getattr(item, "fixturenames", ()))
    if item.get_closest_marker("sqlite") or fixtures & _SERVED:
        return False
    marked = item.get_closest_marker("django_db") or item.get_closest_marker("database")
    return bool(marked or fixtures & {"db", "transactional_db"})
