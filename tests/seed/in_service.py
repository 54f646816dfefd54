"""Run a few lines inside a real service: its settings, its migrations, a database file of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["in_service"]

_ROOT = Path(__file__).parent.parent.parent
_PROLOGUE = """
import json, logging
import django
django.setup()
logging.disable()
from django.core.management import call_command
call_command("migrate", verbosity=0, skip_checks=True)
"""


def in_service(name: str, program: str, *, data: Path) -> Any:
    """Run *program* in a process of the service *name*; give what it prints last, read as JSON."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": f"{name}.settings",
        "SERVICE_ENVIRONMENT": "test",
        "DATABASE_URL": f"sqlite:///{data}/{name}.sqlite3",
        "BUS_URL": f"embedded:///{data}/bus.sqlite3",
    }
    command = [sys.executable, "-c", _PROLOGUE + program]
    done = subprocess.run(command, cwd=_ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
