"""Whether a server keeps what it acknowledges."""

import redis

from bandstand.events.backends.redis.connecting import Client

__all__ = ["doubts"]

_NEEDED = {
    "appendonly": ("yes", "events are kept in memory only: a restart of the server loses them"),
    "appendfsync": ("always", "an event may be lost for about a second after it was accepted"),
    "maxmemory-policy": ("noeviction", "the server may drop events to make room"),
}


def doubts(client: Client) -> list[str]:
    """What speaks against it, in sentences. Raises redis.RedisError when the server cannot be reached."""
    try:
        found = client.config_get(*_NEEDED)
    except redis.ResponseError as error:
        return [f"the server does not tell its settings ({error}): see to it that {_wanted()}"]
    return [
        f"{name} is {found.get(name, 'unknown')}, not {needed}: {so}"
        for name, (needed, so) in _NEEDED.items()
        if found.get(name) != needed
    ]


def _wanted() -> str:
    return ", ".join(f"{name} is {needed}" for name, (needed, _) in _NEEDED.items())
