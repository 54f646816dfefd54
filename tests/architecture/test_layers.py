"""Who may import whom, as `pyproject.toml` says it."""

import subprocess
import sys
from pathlib import Path

from tests.architecture.sources import ROOT, SERVICES

LINTER = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*LINTER, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False)


def test_every_import_keeps_the_layers() -> None:
    outcome = lint(ROOT)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_an_import_against_the_layers_is_found(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    for package in ("bandstand", *SERVICES):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    for module in ("config", "context", "database", "clock", "web", "client"):
        (tmp_path / f"bandstand/{module}.py").touch()
    (tmp_path / "bandstand/errors.py").write_text("import bandstand.context\nimport orders\n")
    (tmp_path / "orders/commands.py").write_text("import orders.clients\nimport users\n")
    (tmp_path / "orders/clients.py").touch()
    for module in ("models", "queries", "events"):
        (tmp_path / f"orders/{module}.py").write_text("import bandstand.client\n")
    outcome = lint(tmp_path)
    assert outcome.returncode == 1
    for broken in (
        "bandstand.errors is not allowed to import bandstand.context",
        "orders.commands is not allowed to import orders.clients",
        "orders is not allowed to import users",
        "bandstand is not allowed to import orders",
        "orders.models is not allowed to import bandstand.client",
    ):
        assert broken in outcome.stdout
