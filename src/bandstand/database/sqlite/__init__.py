"""Django's SQLite backend with a fair write lock per process and file."""
