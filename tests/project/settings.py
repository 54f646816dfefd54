"""Settings of the test project."""

import os
import tempfile
from importlib.util import find_spec
from pathlib import Path

from bandstand.database import database_from_url
from bandstand.tasks import api as tasks
from bandstand.web.rest import rest_settings

DATA = Path(tempfile.mkdtemp(prefix="bandstand-tests-"))

CONCERNS = (
    "bandstand.web",
    "bandstand.auth",
    "bandstand.events",
    "bandstand.sagas",
    "bandstand.sagas.participant",
    "bandstand.sagas.choreography",
    "bandstand.tasks",
    "bandstand.replicas",
)
SECRET_KEY = "a-key-for-tests-only"
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
ROOT_URLCONF = "tests.project.urls"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "rest_framework",
    *(app for app in CONCERNS if find_spec(app) and find_spec(f"{app}.apps")),
    *tasks.APPS,
    "tests.project",
]
SERVER = os.environ.get("DATABASE_URL", "")  # `python -m tests` runs some of the tests a second time on PostgreSQL
DATABASES = {
    "default": database_from_url(SERVER)
    if SERVER
    else {**database_from_url(f"sqlite:///{DATA}/project.sqlite3"), "TEST": {"NAME": str(DATA / "test.sqlite3")}}
}
TASKS = {
    "default": {"BACKEND": "bandstand.tasks.backend.DurableBackend", "QUEUES": []},
}
BANDSTAND = {"SERVICE": {"NAME": "project", "VERSION": "1.0", "ENVIRONMENT": "test"}}
REST_FRAMEWORK = rest_settings()
APPEND_SLASH = False
