"""Settings of the orders service."""

from bandstand.service.settings import service_settings

globals().update(service_settings(name="orders", apps=["bandstand.sagas", "bandstand.replicas", "orders"]))
