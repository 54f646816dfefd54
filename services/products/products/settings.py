"""Settings of the products service."""

from bandstand.service.settings import service_settings

globals().update(service_settings(name="products", apps=["bandstand.replicas", "products"]))
