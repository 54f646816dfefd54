"""Database URLs, and what a connection made from one is really set to."""

import pytest
from django.db import connection

from bandstand.database import database_from_url


def test_sqlite_paths_are_relative_with_three_and_absolute_with_four_slashes():
    assert database_from_url("sqlite:///data/shop.sqlite3")["NAME"] == "data/shop.sqlite3"
    assert database_from_url("sqlite:////var/lib/shop%20one.sqlite3")["NAME"] == "/var/lib/shop one.sqlite3"


@pytest.mark.sqlite(reason="reads its pragmas")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 20_000)]
)
def test_a_connection_is_durable_and_patient(pragma, value):
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {pragma}")
        assert cursor.fetchone() == (value,)


def test_postgres_urls_carry_credentials_options_and_timeouts():
    found = database_from_url("postgres://shop:p%40ss@db.example:5433/orders?sslmode=require")
    assert (found["USER"], found["PASSWORD"], found["HOST"]) == ("shop", "p@ss", "db.example")
    assert (found["PORT"], found["NAME"]) == ("5433", "orders")
    assert found["OPTIONS"]["sslmode"] == "require"
    assert "statement_timeout" in found["OPTIONS"]["options"]


@pytest.mark.parametrize("url", ["mysql://host/name", "sqlite:///", "orders.sqlite3", ""])
def test_other_urls_are_refused_with_the_reason(url):
    with pytest.raises(ValueError, match=r"sqlite|scheme"):
        database_from_url(url)


@pytest.mark.parametrize("options", ["pool_min_size=9&pool_max_size=2", "pool_timeout=soon", "pool_max_size=0"])
def test_a_pool_that_cannot_be_is_refused(options):
    with pytest.raises(ValueError, match="pool_"):
        database_from_url(f"postgres://shop@db/orders?{options}")
