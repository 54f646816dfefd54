"""What Celery's own command loads: `celery -A bandstand.tasks.celery.worker worker -Q <service>.tasks.default`."""

import django
from django.core.exceptions import ImproperlyConfigured

django.setup()

from bandstand.tasks.celery.settings import app_of, celery_backends  # noqa: E402 - the settings come first

backends = celery_backends()
if not backends:
    raise ImproperlyConfigured("TASKS names no CeleryBackend; in service_settings CELERY_BROKER_URL sets one")
app = app_of(backends[0])
