"""Calls to other services: one deadline, honest errors, retries only where a repetition is harmless."""

from bandstand.client.options import CallOptions, Reply
from bandstand.client.service_client import Client, ExternalClient, RemoteCallInTransaction, ServiceClient
from bandstand.transport.config import ClientConfig

__all__ = [
    "CallOptions",
    "Client",
    "ClientConfig",
    "ExternalClient",
    "RemoteCallInTransaction",
    "Reply",
    "ServiceClient",
]
