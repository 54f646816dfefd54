"""Django's admin, which is off unless it is asked for, starts in every service."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_SERVICES = sorted((Path(__file__).parent.parent.parent / "services").glob("*/manage.py"))


@pytest.mark.parametrize("manage", _SERVICES, ids=lambda path: path.parent.name)
def test_a_service_starts_with_its_admin(manage: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "SERVICE_ENVIRONMENT": "test", "ADMIN_ENABLED": "true"}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    command = [sys.executable, str(manage), "check", "--fail-level", "WARNING"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
