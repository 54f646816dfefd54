"""Pub/sub channels, for nudges and notices: nothing is kept for whoever does not listen."""

from contextlib import suppress

import redis

from bandstand.events.backends.redis.connecting import TIMEOUT_SECONDS, Client, reaching

__all__ = ["Notices"]


class Notices:
    """One channel, listened to from here on by a connection of its own. Raises BusUnavailable."""

    def __init__(self, client: Client, channel: str) -> None:
        self._client = client
        self._pubsub: redis.client.PubSub = client.pubsub()  # type: ignore[no-untyped-call]  # redis-py's
        try:
            with reaching():
                self._pubsub.subscribe(channel)
                self._pubsub.get_message(timeout=TIMEOUT_SECONDS)  # the confirmation: from here on it is heard
        except BaseException:
            self.close()
            raise

    def next(self, seconds: float) -> str | None:
        """What was published next, or None after so long or, rarely, sooner. Raises BusUnavailable."""
        with reaching():
            found = self._pubsub.get_message(ignore_subscribe_messages=True, timeout=seconds)
            return None if found is None else str(found["data"])

    def stirs(self, seconds: float) -> bool:
        """Whether anything came within so long; a new connection counts, as something may have been missed."""
        with reaching():
            return self._pubsub.get_message(timeout=seconds) is not None

    def interrupt(self) -> None:
        """Let a `next` of another thread return soon, unless the server hangs."""
        with suppress(redis.RedisError, OSError, RuntimeError):
            self._pubsub.unsubscribe()  # type: ignore[no-untyped-call]  # redis-py's

    def close(self) -> None:
        """Stop listening and close the client."""
        with suppress(redis.RedisError, OSError):
            self._pubsub.close()
            self._client.close()
