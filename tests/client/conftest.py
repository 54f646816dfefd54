"""A peer with scripted answers, and a service that calls it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings
from tests.transport.servers import Connection, answer, serving

from bandstand import context
from bandstand.auth.keys import generate_key


class Peer:
    """Answers the requests it gets with what is queued, then with the last of it; remembers the requests."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.answers: list[bytes | None] = [answer()]
        """None closes the connection without an answer."""
        self.url = ""

    def serve(self, connection: Connection) -> None:
        while (request := connection.request()) is not None:
            self.requests.append(request)
            reply = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if reply is None:
                return
            connection.send(reply)

    def will_answer(self, *answers: bytes | None) -> None:
        self.answers = list(answers)

    def header(self, name: str, request: int = -1) -> str | None:
        for line in self.requests[request].partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]:
            key, _, value = line.partition(": ")
            if key.lower() == name.lower():
                return value
        return None


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    with serving(peer.serve) as server:
        peer.url = server.url
        yield peer


@pytest.fixture(params=["pyreqwest", "urllib3"])
def calling(request: pytest.FixtureRequest, peer: Peer, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Make this process the service `orders`, which knows where `users` is; keywords go into the section CLIENT."""
    active = []

    def become(*, services: dict[str, Any] | None = None, key: bool = True, **client: Any) -> None:
        override = override_settings(
            BANDSTAND={
                "SERVICE": {"NAME": "orders", "ENVIRONMENT": "test"},
                "AUTH": {"SIGNING_KEY": json.dumps(generate_key()) if key else ""},
                "CLIENT": {"TRANSPORT": request.param, **client},
                "DISCOVERY": {"SERVICES": services or {"users": peer.url}},
            }
        )
        override.enable()
        active.append(override)

    previous = context.bind(context.Context())
    become()
    yield become
    context.unbind(previous)
    for override in reversed(active):
        override.disable()
