"""Where the other services are: static URLs or the launcher's registry file, asked anew for every call."""

from bandstand.discovery.backends.base import Resolver
from bandstand.discovery.config import DiscoveryConfig
from bandstand.discovery.resolution import report_failure, resolve

__all__ = ["DiscoveryConfig", "Resolver", "report_failure", "resolve"]
