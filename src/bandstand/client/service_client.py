"""The clients a service uses: `ServiceClient` for its own kind, `ExternalClient` for a foreign address.

    users = ServiceClient("users")
    reply = users.get(f"/internal/v1/users/{user_id}/", into=UserState)

A client is cheap, holds no connection and may be made at import time; connections are shared by the whole process.
"""

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Unpack

from bandstand import auth, context, discovery, transport
from bandstand.client.exchange import Course, Exchange, Pause
from bandstand.client.messages import encoded, reply_of, target_url
from bandstand.client.observation import Observation
from bandstand.client.options import CallOptions, Reply, T
from bandstand.clock import sleep
from bandstand.config import section
from bandstand.database import in_transaction
from bandstand.errors import ServiceError
from bandstand.resilience import Deadline, RetryPolicy
from bandstand.transport import ClientConfig, Request, Response

__all__ = ["Client", "ExternalClient", "RemoteCallInTransaction", "ServiceClient"]

_KEY = re.compile(r"[A-Za-z0-9._:-]{8,255}")


class RemoteCallInTransaction(RuntimeError):
    """A remote call was made inside a database transaction, where it would hold locks and could not be undone."""


class Client(ABC):
    """What both clients share: the verbs, each with an async twin.

    Every verb takes the keywords of `CallOptions` and `into`, the type of the answer's body (a msgspec struct, a
    dataclass, anything msgspec decodes; `bytes` for the body as it is). The whole call, retries included, ends within
    the nearer of its `timeout` and the deadline of the work at hand, which is sent on. Redirects are errors.

    Raises the error that the other service answered, as the same class; ServiceHTTPError for what is no answer of the
    contract; ServiceTimeoutError and ServiceConnectionError, whose `sent` says whether the effect is possible;
    RemoteCallInTransaction.
    """

    def __init__(self, target: str) -> None:
        self.target = target

    def get(self, path: str, *, into: type[T] | None = None, **options: Unpack[CallOptions]) -> Reply[T]:
        """Send a GET."""
        return self._call("GET", path, into, options)

    def post(self, path: str, *, into: type[T] | None = None, **options: Unpack[CallOptions]) -> Reply[T]:
        """Send a POST; repeated after a failure only with an `idempotency_key`, or when surely nothing was sent."""
        return self._call("POST", path, into, options)

    def put(self, path: str, *, into: type[T] | None = None, **options: Unpack[CallOptions]) -> Reply[T]:
        """Send a PUT."""
        return self._call("PUT", path, into, options)

    def patch(self, path: str, *, into: type[T] | None = None, **options: Unpack[CallOptions]) -> Reply[T]:
        """Send a PATCH; repeated as a POST is."""
        return self._call("PATCH", path, into, options)

    def delete(self, path: str, *, into: type[T] | None = None, **options: Unpack[CallOptions]) -> Reply[T]:
        """Send a DELETE."""
        return self._call("DELETE", path, into, options)

    async def aget(self, path: str, *, into: type[T] | None = None, **options: Unpack[CallOptions]) -> Reply[T]:
        """Send a GET without blocking the event loop."""
        return await self._acall("GET", path, into, options)

    async def apost(self, path: str, *, into: type[T] | None = None, **options: Unpack[CallOptions]) -> Reply[T]:
        """Send a POST without blocking the event loop."""
        return await self._acall("POST", path, into, options)

    async def aput(self, path: str, *, into: type[T] | None = None, **options: Unpack[CallOptions]) -> Reply[T]:
        """Send a PUT without blocking the event loop."""
        return await self._acall("PUT", path, into, options)

    async def apatch(self, path: str, *, into: type[T] | None = None, **options: Unpack[CallOptions]) -> Reply[T]:
        """Send a PATCH without blocking the event loop."""
        return await self._acall("PATCH", path, into, options)

    async def adelete(self, path: str, *, into: type[T] | None = None, **options: Unpack[CallOptions]) -> Reply[T]:
        """Send a DELETE without blocking the event loop."""
        return await self._acall("DELETE", path, into, options)

    def _call(self, method: str, path: str, into: type[T] | None, options: CallOptions) -> Reply[T]:
        exchange = self._exchange(method, path, options)
        with Observation(exchange) as seen:
            response = _run(exchange.course())
            seen.status = str(response.status)
            return reply_of(response, into)

    async def _acall(self, method: str, path: str, into: type[T] | None, options: CallOptions) -> Reply[T]:
        exchange = self._exchange(method, path, options)
        with Observation(exchange) as seen:
            response = await _arun(exchange.course())
            seen.status = str(response.status)
            return reply_of(response, into)

    def _exchange(self, method: str, path: str, options: CallOptions) -> Exchange:
        if in_transaction():
            raise RemoteCallInTransaction(f"{method} to {self.target} inside a database transaction")
        config = section(ClientConfig)
        params = options.get("params")
        body = options.get("body")
        key = options.get("idempotency_key")
        return Exchange(
            target=self.target,
            method=method,
            url=lambda base: target_url(base, path, params),
            addresses=self._addresses,
            failed=self._failed,
            headers=self._headers(options.get("headers"), body, key),
            body=encoded(body),
            deadline=Deadline.within(options.get("timeout", config.timeout)),
            policy=_policy(config),
            keyed=key is not None,
            answers=options.get("answers", ()),
            max_body_bytes=config.max_body_bytes,
        )

    def _headers(self, given: Mapping[str, str] | None, body: object, key: str | None) -> dict[str, str]:
        headers = {"Accept": "application/json"}
        if body is not None and not isinstance(body, bytes):
            headers["Content-Type"] = "application/json"
        if key is not None:
            if _KEY.fullmatch(key) is None:
                raise ValueError("an idempotency key is 8-255 of A-Z a-z 0-9 . _ : -")
            headers["Idempotency-Key"] = key
        if given:
            headers.update(given)
        headers.update(self._credentials())
        return headers

    @abstractmethod
    def _addresses(self) -> Sequence[str]:
        """The base URLs to try, best first."""

    @abstractmethod
    def _failed(self, url: str) -> None:
        """Note that no connection to *url* could be used."""

    @abstractmethod
    def _credentials(self) -> Mapping[str, str]:
        """The headers that prove who calls."""


class ServiceClient(Client):
    """Calls a service of the fleet by name: discovered, with a token made for it alone.

    The token says on whose behalf the call is made when the work at hand has a signed-in user. An *anonymous* client
    sends none: for what anybody may read.
    """

    def __init__(self, target: str, *, anonymous: bool = False) -> None:
        super().__init__(target)
        self._anonymous = anonymous

    def _addresses(self) -> Sequence[str]:
        return discovery.resolve(self.target)

    def _failed(self, url: str) -> None:
        discovery.report_failure(self.target, url)

    def _credentials(self) -> Mapping[str, str]:
        if self._anonymous:
            return {}
        principal = context.current().principal
        user = principal.id if principal is not None and principal.kind == "user" else None
        try:
            return {"Authorization": f"Bearer {auth.service_token(self.target, on_behalf_of=user)}"}
        except LookupError:  # a service without a key of its own speaks for nobody
            return {}


class ExternalClient(Client):
    """Calls a foreign address with the same care, and tells it nothing about us but the correlation and trace ids.

    *name* stands in metrics, spans and errors. A 4xx without our envelope is a ServiceHTTPError that keeps status and
    body; list the statuses that the foreign contract knows in `answers` to get them as replies.
    """

    def __init__(self, url: str | Callable[[], str], *, name: str) -> None:
        super().__init__(name)
        self._url = url

    def _addresses(self) -> Sequence[str]:
        url = self._url if isinstance(self._url, str) else self._url()
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"the address of {self.target} must begin with http:// or https://")
        return (url.rstrip("/"),)

    def _failed(self, url: str) -> None:
        """There is no other address to prefer."""

    def _credentials(self) -> Mapping[str, str]:
        return {}


@dataclass
class _Policies:
    """The retry policy of the section at hand, made once."""

    config: ClientConfig | None = None
    policy: RetryPolicy | None = None


_policies = _Policies()


def _policy(config: ClientConfig) -> RetryPolicy:
    policy = _policies.policy
    if policy is None or _policies.config is not config:
        policy = RetryPolicy(attempts=config.attempts, base=config.retry_base, cap=config.retry_cap)
        _policies.policy, _policies.config = policy, config
    return policy


def _run(course: Course) -> Response:
    """Drive an exchange in this thread."""
    send = transport.shared().send
    try:
        step = next(course)
        while True:
            if isinstance(step, Pause):
                sleep(step.seconds)
                step = next(course)
                continue
            step = _given(course, send, step)
    except StopIteration as end:
        response: Response = end.value
        return response


def _given(course: Course, send: Callable[[Request], Response], step: Request) -> Request | Pause:
    try:
        response = send(step)
    except ServiceError as error:
        return course.throw(error)
    return course.send(response)


async def _arun(course: Course) -> Response:
    """Drive an exchange on the event loop."""
    send = transport.shared().asend
    try:
        step = next(course)
        while True:
            if isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
                step = next(course)
                continue
            try:
                response = await send(step)
            except ServiceError as error:
                step = course.throw(error)
            else:
                step = course.send(response)
    except StopIteration as end:
        answer: Response = end.value
        return answer
