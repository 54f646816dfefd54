"""The keys that an issuer publishes, fetched when needed, kept when the issuer is away."""

import json
import logging
import threading
from collections.abc import Callable, Iterable

import jwt

from bandstand import clock
from bandstand.auth.keys import parse_jwks
from bandstand.errors import ServiceError, ServiceUnavailable

__all__ = ["RemoteKeys"]

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 10.0
_FRESH_SECONDS = 300.0
_TIMEOUT_SECONDS = 2.0
_LARGEST_SET_BYTES = 64 * 1024


class RemoteKeys:
    """A key source that asks the first of *urls* that answers.

    At most one fetch in ten seconds, whatever ids are asked for; a known key older than five minutes is looked up
    again, and stays good while the issuer does not answer. Only before the first success is it ServiceUnavailable.
    """

    def __init__(self, urls: Callable[[], Iterable[str]], *, issuer: str) -> None:
        self._urls = urls
        self._issuer = issuer
        self._keys: dict[str, jwt.PyJWK] | None = None
        self._fetch_at = 0.0
        self._stale_at = 0.0
        self._lock = threading.Lock()

    def find(self, *, issuer: str, kid: str) -> jwt.PyJWK | None:
        """The key *kid* of *issuer*, or None. Raises ServiceUnavailable while no key set could ever be read."""
        if issuer != self._issuer:
            return None
        keys = self._keys
        if keys is None or kid not in keys or clock.monotonic() >= self._stale_at:
            keys = self._refreshed()
        if keys is None:
            raise ServiceUnavailable("The keys to verify tokens with are not known yet.")
        return keys.get(kid)

    def _refreshed(self) -> dict[str, jwt.PyJWK] | None:
        """Fetch by one thread; the others wait only while there is nothing to go on with."""
        if not self._lock.acquire(blocking=self._keys is None):
            return self._keys
        try:
            if clock.monotonic() >= self._fetch_at:
                self._fetch()
        finally:
            self._lock.release()
        return self._keys

    def _fetch(self) -> None:
        for url in self._urls():
            try:
                self._keys = _read(url)
            except (ServiceError, ValueError) as error:
                log.warning("auth.keys_unreachable", extra={"issuer": self._issuer, "error": str(error)})
                continue
            self._stale_at = clock.monotonic() + _FRESH_SECONDS
            break
        self._fetch_at = clock.monotonic() + _PAUSE_SECONDS


def _read(url: str) -> dict[str, jwt.PyJWK]:
    from bandstand import transport  # noqa: PLC0415 - most services read their keys from a file

    request = transport.Request(
        method="GET",
        url=url,
        timeout=_TIMEOUT_SECONDS,
        headers={"Accept": "application/json"},
        max_body_bytes=_LARGEST_SET_BYTES,
    )
    response = transport.shared().send(request)
    if response.status != 200:
        raise ValueError(f"the issuer answered {response.status}")
    return parse_jwks(json.loads(response.body))
