"""Run every test: the library's in one process, each service's in its own (`python -m tests [pytest arguments]`)."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from bandstand.testing.engines import RunningEngine

ROOT = Path(__file__).parent.parent
SERVICES = sorted(path.parent for path in (ROOT / "services").glob("*/manage.py"))


def run(title: str, arguments: list[str], settings: str, *, database: str = "") -> bool:
    """Run pytest for one suite, on files or on the server that *database* names, and say how it went."""
    started = time.monotonic()
    print(f"== {title}", flush=True)
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": settings, "SERVICE_ENVIRONMENT": "test"}
    environment["DATABASE_URL"] = database
    command = [sys.executable, "-m", "pytest", "-q", *arguments, *sys.argv[1:]]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    print(
        f"== {title}: {'passed' if done.returncode == 0 else 'FAILED'} in {time.monotonic() - started:.0f} s",
        flush=True,
    )
    return done.returncode == 0


def main() -> int:
    """Run the suites one after another; the library first, the fleet last."""
    slow = ["fleet", "security", "seed"]
    quick = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "tests").iterdir()) if _holds_tests(path, slow)]
    passed = [run("library", quick, "tests.project.settings")]
    passed += [
        run(service.name, [f"services/{service.name}/tests"], f"{service.name}.settings") for service in SERVICES
    ]
    passed += on_postgresql(quick)
    passed.append(
        run("seeds, fleet and attacks", ["tests/seed", "tests/fleet", "tests/security"], "tests.project.settings")
    )
    return 0 if all(passed) else 1


def on_postgresql(library: list[str]) -> list[bool]:
    """Repeat what a database can change on a real PostgreSQL. Raises Absent where there is none."""
    plugin = ["-p", "tests.on_postgresql"]
    with tempfile.TemporaryDirectory() as folder, RunningEngine("postgresql", Path(folder)) as server:
        _forget_the_disk(server.url)
        passed = [run("library on PostgreSQL", [*plugin, *library], "tests.project.settings", database=server.url)]
        for service in SERVICES:
            suite = [*plugin, f"services/{service.name}/tests"]
            passed.append(run(f"{service.name} on PostgreSQL", suite, f"{service.name}.settings", database=server.url))
    return passed


def _forget_the_disk(url: str) -> None:
    """These tests are about what is committed, and others about what survives: syncing would triple their time."""
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in (b"fsync", b"full_page_writes", b"synchronous_commit"):
            connection.execute(b"ALTER SYSTEM SET " + setting + b" = off")
        connection.execute("SELECT pg_reload_conf()")


def _holds_tests(path: Path, slow: list[str]) -> bool:
    return path.is_dir() and path.name not in slow and any(path.rglob("test_*.py"))


if __name__ == "__main__":
    sys.exit(main())
