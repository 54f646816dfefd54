"""What Celery's own command loads: `celery -A bandstand.tasks.celery.worker worker -Q <service>.tasks.default`."""

import django

django.setup()

from bandstand.tasks.celery.settings import app_of, celery_backends  # noqa: E402 - the settings come first

app = app_of(celery_backends()[0])
