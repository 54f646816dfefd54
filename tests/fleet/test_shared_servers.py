"""`DATABASE_URL` and `BUS_URL` are all that a fleet needs to run on servers that are there already."""

from pathlib import Path

import psycopg

from bandstand.testing.engines import RunningEngine
from tests.fleet.shops import ROOT
from tests.fleet_unit.fleets import bandstand


def databases(server: RunningEngine) -> set[str]:
    """Their names, and those of the roles."""
    with psycopg.connect(server.url) as connection:
        found = connection.execute("SELECT datname FROM pg_database UNION SELECT rolname FROM pg_roles")
        return {name for (name,) in found.fetchall() if name.startswith("shop")}


def test_one_demonstration_after_another_uses_the_same_servers(tmp_path: Path) -> None:
    """Each has databases and a name on the bus of its own, and drops the databases; what is kept is not touched."""
    with RunningEngine("postgresql", tmp_path / "pg") as server, RunningEngine("valkey", tmp_path / "bus") as bus:
        env = {"DATABASE_URL": server.url, "BUS_URL": bus.url}
        kept = bandstand("demo", "--data", tmp_path / "kept", cwd=ROOT, env=env)
        assert kept.returncode == 0, kept.stdout + kept.stderr
        left = databases(server)
        assert len(left) == 6
        second = bandstand("demo", cwd=ROOT, env=env)
        assert second.returncode == 0, second.stdout + second.stderr
        assert databases(server) == left
        again = bandstand("demo", "--data", tmp_path / "kept", cwd=ROOT, env=env)
        assert again.returncode == 0, again.stdout + again.stderr
        assert databases(server) == left
