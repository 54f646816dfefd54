"""Run every test: the library's, each service's, both again on PostgreSQL (`python -m tests [pytest arguments]`)."""

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bandstand.testing.engines import RunningEngine

ROOT = Path(__file__).parent.parent
SERVICES = sorted(path.parent for path in (ROOT / "services").glob("*/manage.py"))
_PROJECT = "tests.project.settings"
_ALONE = ("seed", "security", "fleet")
_SAGAS = [f"tests/{name}" for name in ("choreography", "models", "mutants", "participant", "sagas")]


@dataclass(frozen=True)
class Suite:
    """One run of pytest: on files, or on the server that `database` names."""

    title: str
    arguments: list[str]
    settings: str
    database: str = ""

    def run(self) -> bool:
        """Run it in a process of its own, and show what it said once it has ended."""
        started = time.monotonic()
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": self.settings, "SERVICE_ENVIRONMENT": "test"}
        environment["DATABASE_URL"] = self.database
        command = [sys.executable, "-m", "pytest", "-q", *self.arguments, *sys.argv[1:]]
        print(f"== {self.title}: begun", flush=True)
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        verdict = "passed" if done.returncode == 0 else "FAILED"
        print(f"{done.stdout}== {self.title}: {verdict} in {time.monotonic() - started:.0f} s", flush=True)
        return done.returncode == 0


def main() -> int:
    """Run the suites in two lanes, one for each core of a small machine; the fleet last, with both for itself."""
    with tempfile.TemporaryDirectory() as folder, RunningEngine("postgresql", Path(folder)) as server:
        _forget_the_disk(server.url)
        lanes = [
            [
                Suite("library", _library(), _PROJECT),
                _on_postgresql("library", _library(), _PROJECT, server.url),
                *_services(),
                *_services(server.url),
            ],
            [Suite("sagas", _SAGAS, _PROJECT), _on_postgresql("sagas", _SAGAS, _PROJECT, server.url)],
        ]
        with ThreadPoolExecutor(len(lanes)) as pool:
            passed = list(pool.map(_run_all, lanes))
    passed += [Suite(name, [f"tests/{name}"], _PROJECT).run() for name in _ALONE]
    return 0 if all(passed) else 1


def _run_all(lane: list[Suite]) -> bool:
    """Run one after another, all of them whatever fails."""
    return all([suite.run() for suite in lane])  # noqa: C419 - a generator would stop at the first that fails


def _library() -> list[str]:
    """All folders of tests but those that have a suite of their own."""
    folders = (path for path in sorted((ROOT / "tests").iterdir()) if path.is_dir() and any(path.rglob("test_*.py")))
    names = [f"tests/{path.name}" for path in folders if path.name not in _ALONE]
    return [name for name in names if name not in _SAGAS]


def _services(database: str = "") -> list[Suite]:
    suites = [(path.name, [f"services/{path.name}/tests"], f"{path.name}.settings") for path in SERVICES]
    return [_on_postgresql(*suite, database) if database else Suite(*suite) for suite in suites]


def _on_postgresql(title: str, arguments: list[str], settings: str, server: str) -> Suite:
    """Repeat what a database can change on a real PostgreSQL, in a database of its own."""
    database = f"{server.rpartition('/')[0]}/{title}"
    return Suite(f"{title} on PostgreSQL", ["-p", "tests.on_postgresql", *arguments], settings, database)


def _forget_the_disk(url: str) -> None:
    """These tests are about what is committed, and others about what survives: syncing would triple their time."""
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in (b"fsync", b"full_page_writes", b"synchronous_commit"):
            connection.execute(b"ALTER SYSTEM SET " + setting + b" = off")
        connection.execute("SELECT pg_reload_conf()")


if __name__ == "__main__":
    sys.exit(main())
