"""One server for a whole fleet: what is made on it, for whom, and what is said when that is not allowed."""

import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from bandstand.config import ConfigurationError
from bandstand.fleet.databases import database_name, database_of, drop_databases, make_databases, open_databases
from bandstand.fleet.environment import database_url
from bandstand.fleet.layout import DataFolder
from bandstand.fleet.manifest import read_manifest
from bandstand.testing.engines import RunningEngine

ROOT = Path(__file__).parents[2]
_serial = count()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    """One for all tests: each makes names of its own on it."""
    with RunningEngine("postgresql", tmp_path_factory.mktemp("server")) as running:
        yield running


def administer(server: RunningEngine, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(server.url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def user(server: RunningEngine, rights: str) -> str:
    """The URL of a user who has these rights, and nothing else."""
    name = f"somebody_{next(_serial)}"
    administer(server, f"CREATE ROLE {name} LOGIN {rights}")
    return server.url.replace("//postgres@", f"//{name}@")


def write_and_read(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE thing AS SELECT 1 AS id")
        assert connection.execute("SELECT id FROM thing").fetchone() == (1,)


@pytest.mark.parametrize("rights", ["SUPERUSER", "CREATEDB CREATEROLE"])
def test_each_database_has_a_role_and_no_other_role_may_enter_it(server: RunningEngine, rights: str) -> None:
    mine, yours = (f"shop{next(_serial)}_{name}" for name in ("mine", "yours"))
    urls = make_databases(user(server, rights), {mine: "a secret", yours: "another"})
    for url in urls.values():
        write_and_read(url)
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(database_of(urls[mine], yours))


def test_a_second_time_changes_nothing_but_the_password(server: RunningEngine) -> None:
    name = f"shop{next(_serial)}"
    write_and_read(make_databases(server.url, {name: "first"})[name])
    url = make_databases(server.url, {name: "second"})[name]
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT id FROM thing").fetchone() == (1,)
    assert ":second@" in url


def test_the_server_is_told_a_hash_and_no_password(server: RunningEngine) -> None:
    name = f"shop{next(_serial)}"
    make_databases(server.url, {name: "a secret"})
    ((stored,),) = administer(server, f"SELECT rolpassword FROM pg_authid WHERE rolname = '{name}'")
    assert str(stored).startswith("SCRAM-SHA-256$")


def test_a_user_who_may_not_make_roles_owns_the_databases(server: RunningEngine) -> None:
    url, name = user(server, "CREATEDB"), f"shop{next(_serial)}"
    made = make_databases(url, {name: "unused"})[name]
    assert made == database_of(url, name)
    write_and_read(made)


def test_a_database_that_somebody_made_beforehand_is_used_as_it_is(server: RunningEngine) -> None:
    url, name = user(server, ""), f"shop{next(_serial)}"
    administer(server, f"CREATE DATABASE {name} OWNER {url.partition('//')[2].partition('@')[0]}")
    write_and_read(make_databases(url, {name: "unused"})[name])


def test_who_may_make_nothing_is_told_what_is_needed(server: RunningEngine) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_databases(user(server, ""), {"shop_users": "a", "shop_orders": "b"})
    for part in ("DATABASE_URL", "permission denied to create database", "shop_users, shop_orders"):
        assert part in str(caught.value)


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_databases("postgres://shop:hidden@127.0.0.1:9/", {"shop_users": "a"})
    assert "127.0.0.1:9" in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_name_that_the_server_would_cut_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="63 bytes"):
        make_databases("postgres://127.0.0.1:9/", {"x" * 64: "a"})


def test_two_launchers_at_once_make_each_database_once(server: RunningEngine) -> None:
    names, found = [f"shop{next(_serial)}_{number}" for number in range(3)], []
    threads = [
        threading.Thread(target=lambda: found.append(make_databases(server.url, dict.fromkeys(names, "same"))))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert found[0] == found[1] == found[2]


def test_dropped_databases_take_their_roles_with_them_though_somebody_is_connected(server: RunningEngine) -> None:
    name = f"shop{next(_serial)}"
    url = make_databases(server.url, {name: "a"})[name]
    with psycopg.connect(url) as connection:
        drop_databases(server.url, [name, "never_made"])
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    for listing in ("SELECT datname FROM pg_database", "SELECT rolname FROM pg_roles"):
        assert (name,) not in administer(server, listing)


def test_only_services_without_a_database_of_their_own_get_one(server: RunningEngine, tmp_path: Path) -> None:
    fleet, data = read_manifest(ROOT / "fleet.toml"), DataFolder(tmp_path)
    data.create()
    prefix = f"fleet{next(_serial)}"
    outer = {"DATABASE_URL": database_of(server.url, prefix) + "?pool_max_size=4", "USERS_DATABASE_URL": "sqlite:////u"}
    opened = open_databases(fleet, data, outer)
    assert sorted(opened) == [f"{name.upper()}_DATABASE_URL" for name in sorted(fleet.services) if name != "users"]
    assert open_databases(fleet, data, outer) == opened
    assert open_databases(fleet, data, outer | opened) == {}
    url = database_url(fleet, data, "orders", outer | opened)
    assert url.endswith(f"/{prefix}_orders?pool_max_size=4")
    assert database_url(fleet, data, "users", outer | opened) == "sqlite:////u"


def test_one_file_for_all_services_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="one database for all"):
        open_databases(read_manifest(ROOT / "fleet.toml"), DataFolder(tmp_path), {"DATABASE_URL": "sqlite:////all"})


def test_the_name_in_the_url_comes_before_the_fleets() -> None:
    assert database_name("postgres://h/", "shop", "users") == "shop_users"
    assert database_name("postgres://h/postgres", "shop", "users") == "shop_users"
    assert database_name("postgres://h/store", "shop", "users") == "store_users"
