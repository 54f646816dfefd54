"""The WSGI application of the service that DJANGO_SETTINGS_MODULE names."""

from django.core.wsgi import get_wsgi_application

from bandstand.web.wsgi import application_wrapper

__all__ = ["application"]

application = application_wrapper(get_wsgi_application())
