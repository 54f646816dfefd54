"""A service on SQLite loads no PostgreSQL driver, and a service on PostgreSQL does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from bandstand.service.lean import leave_postgresql_out
leave_postgresql_out()
import django
django.setup()
import rest_framework.serializers
print("psycopg" in sys.modules)
"""


@pytest.mark.parametrize(("url", "loaded"), [("sqlite:////tmp/none.sqlite3", "False"), ("postgres://x/y", "True")])
def test_the_driver_is_loaded_where_it_is_used(url: str, loaded: str) -> None:
    folder = ROOT / "services" / "products"
    env = {
        **os.environ,
        "DATABASE_URL": url,
        "SERVICE_ENVIRONMENT": "test",
        "DJANGO_SETTINGS_MODULE": "products.settings",
    }
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == loaded
