"""A real PostgreSQL with the tables of events, a database for each test."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest
from django.core.management import call_command
from django.db import connections

from bandstand.database import database_from_url
from bandstand.engines import Absent
from bandstand.testing.engines import RunningEngine

ALIAS = "postgres"
_TEMPLATE = "events_template"
_serial = count()


@contextmanager
def migrated_server(folder: Path, *apps: str) -> Iterator[RunningEngine]:
    """A server with a database that others are copied from, with the tables of *apps* beside those of events."""
    try:
        server = RunningEngine("postgresql", folder)
    except Absent as absent:
        pytest.skip(str(absent))
    with server:
        administer(server, f"CREATE DATABASE {_TEMPLATE}")
        with alias(server, _TEMPLATE):
            for app in ("bandstand_events", *apps):
                call_command("migrate", app, database=ALIAS, verbosity=0)
        yield server


@contextmanager
def database(server: RunningEngine) -> Iterator[str]:
    """A fresh copy of the migrated database, as the alias `postgres`; its URL."""
    name = f"test_{next(_serial)}"
    administer(server, f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
    with alias(server, name) as url:
        yield url
    administer(server, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def alias(server: RunningEngine, name: str) -> Iterator[str]:
    """Let Django know the database *name*; no longer afterwards, for Django's own test databases are made of all."""
    url = server.url.rpartition("/")[0] + f"/{name}"
    connections.settings[ALIAS] = connections.configure_settings(
        {"default": connections.settings["default"], ALIAS: database_from_url(url)}
    )[ALIAS]
    try:
        yield url
    finally:
        connections[ALIAS].close()
        connections[ALIAS].close_pool()
        del connections[ALIAS]
        del connections.settings[ALIAS]


def administer(server: RunningEngine, statement: str) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(statement)
