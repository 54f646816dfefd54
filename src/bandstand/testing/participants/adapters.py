"""How the suite speaks with a participant: by an adapter of the test's own, by the test client, or over HTTP."""

import http.client
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from django.test import Client

from bandstand.errors import BusinessRuleViolated, Conflict, NotFound, ServiceError, ServiceUnavailable
from bandstand.sagas.participant.protocol import KeyState

__all__ = ["HttpParticipant", "LocalParticipant", "Participant"]


class Participant(ABC):
    """One kind of effect by key. Calls come from several threads at once.

    A definite no is a Conflict or a BusinessRuleViolated; an error that is `retryable` makes the suite ask again.
    """

    @abstractmethod
    def create(self, key: str, request: int) -> Any:
        """Apply the effect and return its answer; the same number is the same request, 1 and 2 are two."""

    @abstractmethod
    def cancel(self, key: str) -> Any:
        """Undo the effect, or see to it that it never comes."""

    @abstractmethod
    def query(self, key: str) -> KeyState:
        """What is known of the key."""

    @abstractmethod
    def effects(self, key: str) -> int:
        """How many effects of the key stand: applied ones less undone ones. From the books, not from its state."""

    def abandon(self, key: str, request: int) -> None:
        """Create, and lose the reply."""
        with suppress(ServiceError):
            self.create(key, request)


def _read_state(body: Any) -> KeyState:
    return KeyState(body["state"])


@dataclass(frozen=True, kw_only=True)
class _Keyed(Participant):
    """A participant behind `PUT`, `DELETE` and `GET` of *url*, which has a place for `{key}`.

    *body* makes the request of a number, *count* tells how many effects of a key stand, *state_of* reads an answer to
    `GET`.
    """

    url: str
    body: Callable[[int], Any]
    count: Callable[[str], int]
    headers: Mapping[str, str] = field(default_factory=dict)
    state_of: Callable[[Any], KeyState] = _read_state

    def create(self, key: str, request: int) -> Any:
        """PUT."""
        return self._ask("PUT", key, self.body(request))

    def cancel(self, key: str) -> Any:
        """DELETE."""
        return self._ask("DELETE", key)

    def query(self, key: str) -> KeyState:
        """GET; 404 is absent."""
        try:
            return self.state_of(self._ask("GET", key))
        except NotFound:
            return KeyState.ABSENT

    def effects(self, key: str) -> int:
        """As *count* has it."""
        return self.count(key)

    @abstractmethod
    def _ask(self, method: str, key: str, body: Any = None) -> Any: ...

    def _url(self, key: str) -> str:
        return self.url.format(key=quote(key, safe=""))


@dataclass(frozen=True, kw_only=True)
class LocalParticipant(_Keyed):
    """The API of the service under test, asked by Django's test client; *url* is a path."""

    def _ask(self, method: str, key: str, body: Any = None) -> Any:
        client = Client(headers=dict(self.headers))  # one for each call: they come from several threads
        sent = "" if body is None else json.dumps(body)
        answer: Any = client.generic(method, self._url(key), sent, content_type="application/json")
        return _result(method, answer.status_code, answer.content)


@dataclass(frozen=True, kw_only=True)
class HttpParticipant(_Keyed):
    """Whatever answers at *url*. A lost reply is a real one: the connection is closed once the request is written."""

    timeout: timedelta = timedelta(seconds=30)

    def abandon(self, key: str, request: int) -> None:
        """Write the request and close the connection."""
        self._send("PUT", key, self.body(request)).close()

    def _ask(self, method: str, key: str, body: Any = None) -> Any:
        connection = self._send(method, key, body)
        try:
            response = connection.getresponse()
            return _result(method, response.status, response.read())
        finally:
            connection.close()

    def _send(self, method: str, key: str, body: Any = None) -> http.client.HTTPConnection:
        parts = urlsplit(self._url(key))
        of_scheme = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = of_scheme(parts.netloc, timeout=self.timeout.total_seconds())
        headers = {"Accept": "application/json", "Content-Type": "application/json", **self.headers}
        connection.request(method, parts.path, body=None if body is None else json.dumps(body), headers=headers)
        return connection


def _result(method: str, status: int, body: bytes) -> Any:
    if status < 300:
        return json.loads(body) if body else None
    for error in (NotFound, Conflict, BusinessRuleViolated):
        if status == error.status:
            raise error(body.decode(errors="replace"))
    if status >= 500 or status == 429:
        raise ServiceUnavailable(f"{method}: HTTP {status}: {body.decode(errors='replace')}")
    raise AssertionError(f"{method}: HTTP {status} is no answer of a participant: {body.decode(errors='replace')}")
