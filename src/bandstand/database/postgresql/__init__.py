"""Django's PostgreSQL backend with its pool, made safe for processes that fork."""
