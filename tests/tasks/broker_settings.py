"""Django's settings of the actor whose tasks go to Celery; a test says in the environment where everything is."""

import os
from datetime import timedelta

from bandstand.database import database_from_url

SECRET_KEY = "a-key-for-tests-only"
INSTALLED_APPS = ["bandstand.events", "bandstand.tasks"]
DATABASES = {"default": database_from_url(os.environ["ACTOR_DATABASE_URL"])}
USE_TZ = True
TASKS = {
    "default": {
        "BACKEND": "bandstand.tasks.celery.CeleryBackend",
        "QUEUES": [],
        "OPTIONS": {
            "BROKER_URL": os.environ["ACTOR_BROKER_URL"],
            "RESULT_BACKEND": os.environ.get("ACTOR_RESULTS_URL", ""),
            "CONF": {"broker_connection_timeout": 1},
        },
    }
}
BANDSTAND = {
    "SERVICE": {"NAME": "actor", "ENVIRONMENT": "test"},
    "TASKS": {
        "LEASE": timedelta(seconds=2),
        "BROKER_PATIENCE": timedelta(seconds=5),
        "SAFETY_POLL": timedelta(milliseconds=200),
    },
}
LOGGING_CONFIG = None
