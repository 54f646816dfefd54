"""A service starts lean: nothing heavy is imported before it is needed, and the server's parent knows no Django."""

import subprocess
import sys
from pathlib import Path

import pytest

SERVICES = Path(__file__).parents[2] / "services"
HEAVY = (
    "celery",
    "django.contrib.admin",
    "drf_spectacular",
    "hypothesis",
    "jsonschema",
    "opentelemetry",
    "pytest",
    "requests",
    "rich",
)
BOOT = """
import os
import sys
from datetime import timedelta
from bandstand.service.boot import boot
boot(drain=timedelta(seconds=5))
print(*sys.modules, flush=True)
os._exit(0)
"""


def modules_after(program: str, folder: Path, **variables: str) -> set[str]:
    """Run *program* in a new process and return the modules it printed."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "SERVICE_ENVIRONMENT": "local",
        "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
        "BUS_URL": f"embedded:///{folder}/bus.sqlite3",
        "MIGRATE_ON_START": "1",
        **variables,
    }
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("service", sorted(path.parent.name for path in SERVICES.glob("*/manage.py")))
def test_a_worker_imports_nothing_heavy(service: str, tmp_path: Path) -> None:
    loaded = modules_after(BOOT, tmp_path, DJANGO_SETTINGS_MODULE=f"{service}.settings")
    assert {"django", "rest_framework", service} <= loaded
    assert not loaded.intersection(HEAVY)


def test_the_parent_of_the_workers_imports_no_django(tmp_path: Path) -> None:
    program = "import sys, bandstand.service.serve; print(*sys.modules)"
    loaded = modules_after(program, tmp_path)
    assert "granian" in loaded
    assert not {name for name in loaded if name.partition(".")[0] in {"django", "rest_framework", "msgspec"}}


def test_the_command_line_imports_no_django_for_its_help(tmp_path: Path) -> None:
    program = """
import sys
from bandstand.cli import main
sys.argv = ["bandstand", "--help"]
try:
    main()
except SystemExit:
    pass
print(*sys.modules)
"""
    assert "django" not in modules_after(program, tmp_path)
