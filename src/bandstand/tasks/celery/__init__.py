"""The bridge to Celery: tasks are enqueued as durable rows, and handed to Celery's workers after the commit."""

from bandstand.tasks.celery.backend import CeleryBackend

__all__ = ["CeleryBackend"]
