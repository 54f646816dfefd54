"""Profiles: which engine is taken for which variable, and what is said when none can be."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from bandstand.clock import monotonic
from bandstand.config import ConfigurationError
from bandstand.engines.valkey import Valkey
from bandstand.fleet.manifest import Fleet as Manifest
from bandstand.fleet.manifest import read_manifest
from bandstand.fleet.servers import choose_servers
from tests.fleet_unit.fleets import MANIFEST, Fleet, is_gone, kill, until
from tests.fleet_unit.test_endings import launch, members

STORED = '\n[profiles.stored]\nBUS_URL = ["rabbitmq", "valkey"]\nCACHE_URL = ["valkey"]\n'


def manifest(folder: Path, profiles: str) -> Manifest:
    (folder / "fleet.toml").write_text('[services.users]\ncommand = ["x"]\n' + profiles)
    return read_manifest(folder / "fleet.toml")


@pytest.fixture
def without_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine whose packages brought no server; wheels are there."""
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("without_programs")
def test_the_first_that_is_there_stands_behind_every_variable_it_is_named_for(tmp_path: Path) -> None:
    (server,) = choose_servers(manifest(tmp_path, STORED), "stored", outer={})
    assert server.engine.name == "valkey"
    assert server.urls == dict.fromkeys(("BUS_URL", "CACHE_URL"), f"redis://127.0.0.1:{server.port}/0")


def test_what_the_environment_names_needs_no_server(tmp_path: Path) -> None:
    outer = {"BUS_URL": "redis://elsewhere", "CACHE_URL": "redis://elsewhere"}
    assert choose_servers(manifest(tmp_path, STORED), "stored", outer=outer) == []


@pytest.mark.usefixtures("without_programs")
def test_a_missing_engine_is_named_with_the_package_that_brings_it(tmp_path: Path) -> None:
    fleet = manifest(tmp_path, '[profiles.rabbit]\nBUS_URL = ["rabbitmq"]\n')
    with pytest.raises(ConfigurationError, match=r"no server for BUS_URL: .*apt-get install rabbitmq-server"):
        choose_servers(fleet, "rabbit", outer={})


def test_an_unknown_profile_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--profile stord: is unknown; expected stored"):
        choose_servers(manifest(tmp_path, STORED), "stord", outer={})


def test_an_unknown_engine_is_a_fault_of_the_manifest(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"profiles\.p\.BUS_URL: valky: is unknown; expected did you mean"):
        manifest(tmp_path, '[profiles.p]\nBUS_URL = ["valky"]\n')
    with pytest.raises(ConfigurationError, match="names no engine"):
        manifest(tmp_path, "[profiles.p]\nBUS_URL = []\n")


@pytest.fixture
def stored(make_fleet: Callable[..., Fleet]) -> Fleet:
    """A fleet of stand-ins with a Valkey that is a bus."""
    fleet = make_fleet(manifest=MANIFEST + '\n[profiles.stored]\nBUS_URL = ["valkey"]\n')
    done = fleet.run("up", "--detach", "--port", str(fleet.port), "--profile", "stored")
    assert done.returncode == 0, done.stderr
    return fleet


def test_a_server_is_a_member_of_the_fleet_and_its_url_reaches_the_services(stored: Fleet) -> None:
    entry = next(entry for entry in stored.status["processes"] if entry["name"] == "valkey")
    assert (entry["role"], entry["state"]) == ("bus", "ready")
    assert stored.status["bus"] == entry["url"]
    environ = stored.ask("/api/v1/users/")[2]["environ"]
    assert environ["BUS_URL"] == entry["url"]


def test_a_killed_server_comes_back_on_its_port_with_its_data(stored: Fleet) -> None:
    port = int(stored.status["bus"].rpartition(":")[2].partition("/")[0])
    pid = stored.pid_of("valkey")
    kill(pid)
    until(lambda: is_gone(pid))
    until(lambda: Valkey().is_ready(port), seconds=20)
    assert stored.pid_of("valkey") != pid
    assert (stored.data / "engines" / "valkey" / "appendonlydir").is_dir()


def test_a_folder_goes_with_its_databases_whatever_their_port(make_fleet: Callable[..., Fleet]) -> None:
    """The ledger and the mark of the seed are in the folder: on other databases they would tell of another shop."""
    fleet = make_fleet(manifest=MANIFEST + '\n[profiles.stored]\nDATABASE_URL = ["postgresql"]\n')
    for _ in range(2):
        done = fleet.run("up", "--detach", "--port", str(fleet.port), "--profile", "stored")
        assert done.returncode == 0, done.stderr
        assert fleet.run("down").returncode == 0
    other = fleet.run("up", "--detach", "--port", str(fleet.port))
    assert other.returncode == 2
    assert "is at postgresql/test_users, not db/users.sqlite3" in other.stderr


def test_a_restarted_server_is_on_the_port_that_the_services_know(stored: Fleet) -> None:
    before = next(entry for entry in stored.status["processes"] if entry["name"] == "valkey")
    done = stored.run("restart", "valkey")
    assert done.returncode == 0, done.stderr
    after = next(entry for entry in stored.status["processes"] if entry["name"] == "valkey")
    assert (after["url"], after["state"]) == (before["url"], "ready")
    assert after["pid"] != before["pid"]


def test_status_shows_the_memory_of_each_process_once(stored: Fleet) -> None:
    lines = stored.run("status").stdout.splitlines()
    assert "MEMORY" in lines[0]
    assert "MiB" in next(line for line in lines if line.startswith("valkey"))


def test_a_drained_fleet_leaves_no_server(stored: Fleet) -> None:
    pid = stored.pid_of("valkey")
    assert stored.run("down").returncode == 0
    assert is_gone(pid)


def test_a_server_that_does_not_start_ends_the_start_with_its_own_words(make_fleet: Callable[..., Fleet]) -> None:
    fleet = make_fleet(manifest=MANIFEST + '\n[profiles.stored]\nBUS_URL = ["valkey"]\n')
    folder = fleet.data / "engines" / "valkey" / "appendonlydir"
    folder.mkdir(parents=True)
    (folder / "appendonly.aof.manifest").write_text("nonsense\n")
    done = fleet.run("up", "--detach", "--port", str(fleet.port), "--profile", "stored")
    assert done.returncode == 4, os.linesep.join((done.stdout, done.stderr))
    assert "valkey does not start" in done.stderr
    assert "Invalid AOF manifest file format" in done.stderr


@pytest.mark.parametrize("seed", range(4))
def test_a_launcher_killed_while_a_database_is_made_leaves_nothing(make_fleet: Callable[..., Fleet], seed: int) -> None:
    """Not the program that makes it either, and the next start finds no half of one."""
    fleet = make_fleet(manifest=MANIFEST + '\n[profiles.stored]\nDATABASE_URL = ["postgresql"]\n')
    moment = random.Random(f"{seed}-{os.getpid()}").uniform(0.2, 1.4)
    launcher = launch(fleet, "--profile", "stored")
    end = monotonic() + moment
    until(lambda: monotonic() > end)
    launcher.kill()
    launcher.wait()
    until(lambda: not members(fleet), seconds=5, what=f"nothing left after a kill at {moment:.3f} s")
    done = fleet.run("up", "--detach", "--port", str(fleet.port), "--profile", "stored")
    assert done.returncode == 0, done.stderr
