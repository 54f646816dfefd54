"""Settings of the inventory service."""

from bandstand.service.settings import service_settings

globals().update(service_settings(name="inventory", apps=["inventory"]))
