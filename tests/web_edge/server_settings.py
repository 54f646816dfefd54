"""The edge alone, as a process of its own runs it."""

from bandstand.observability.logging import logging_config

SECRET_KEY = "a-key-for-tests-only"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "tests.web_edge.routes"
MIDDLEWARE = ["bandstand.web.middleware.EdgeMiddleware"]
USE_TZ = True
LOGGING = logging_config()
BANDSTAND = {"SERVICE": {"NAME": "edge", "VERSION": "1.0", "ENVIRONMENT": "test"}}
