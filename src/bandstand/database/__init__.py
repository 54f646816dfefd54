"""The service's own database: its URL, its transactions, and the SQLite backend with a fair write lock."""

from bandstand.database.transactions import in_transaction
from bandstand.database.urls import connection_parameters, database_from_url

__all__ = ["connection_parameters", "database_from_url", "in_transaction"]
