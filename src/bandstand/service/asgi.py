"""The ASGI application of the service that DJANGO_SETTINGS_MODULE names; for streaming endpoints only."""

from django.core.asgi import get_asgi_application

__all__ = ["application"]

application = get_asgi_application()
