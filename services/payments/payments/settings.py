"""Settings of the payments service."""

from bandstand.service.settings import service_settings

globals().update(service_settings(name="payments", apps=["payments"]))
