"""The one course of a call, shared by its sync and async twins: attempts, pauses, addresses, the final word.

`Exchange.course` is a generator: it yields a Request to be sent or a Pause to be slept, is given the Response or the
error, and returns the answer. It does no I/O of its own.
"""

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from bandstand import clock, context
from bandstand.client.messages import error_of, is_answer, retry_after
from bandstand.errors import (
    ServiceConnectionError,
    ServiceError,
    ServiceTimeoutError,
)
from bandstand.resilience import Deadline, RetryPolicy
from bandstand.transport import Request, Response

__all__ = ["Course", "Exchange", "Pause"]

_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
_TRANSIENT = frozenset({429, 500, 502, 503, 504})


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """Wait this long before going on."""

    seconds: float


Course = Generator[Request | Pause, Response | None, Response]


@dataclass(kw_only=True, slots=True)
class Exchange:
    """One call: what to send, to whom, by when, and how often it may be tried."""

    target: str
    method: str
    url: Callable[[str], str]
    """From the base URL of an instance to the whole URL."""
    addresses: Callable[[], Sequence[str]]
    failed: Callable[[str], None]
    headers: Mapping[str, str]
    body: bytes | None
    deadline: Deadline
    policy: RetryPolicy
    keyed: bool
    answers: Collection[int]
    max_body_bytes: int
    attempts: int = 0
    maybe_sent: bool = False
    tried: tuple[str, ...] = ()

    def course(self) -> Course:
        """Go through the attempts. Raises the error of the last one.

        Repeated are: what surely was not sent, and (for methods that may be repeated by their meaning, or by an
        idempotency key) lost connections and answers that say "later". `Retry-After` is obeyed as long as the
        deadline allows; if it does not, there is no further attempt.
        """
        while True:
            self.attempts += 1
            base = self._address()
            request = self._request(base)
            wait: int | None = None
            try:
                response = yield request
                if response is None:
                    raise TypeError("an exchange was resumed without its response")
                if is_answer(response, self.answers):
                    return response
                error = error_of(response, target=self.target, now=clock.now())
                self.maybe_sent = True
                wait = retry_after(response, now=clock.now())
                again = self._is_repeatable() and response.status in _TRANSIENT
            except (ServiceConnectionError, ServiceTimeoutError) as lost:
                error = lost
                again = self._lost(lost, base)
            pause = self._pause(wait) if again else None
            if pause is None:
                raise self._final(error)
            yield pause

    def _address(self) -> str:
        urls = self.addresses()
        if not urls:
            raise ServiceConnectionError("No address is known.", sent=self.maybe_sent, service_name=self.target)
        fresh = urls[0]
        if self.tried:  # rather one that has not failed yet in this call
            fresh = next((url for url in urls if url not in self.tried), fresh)
        self.tried += (fresh,)
        return fresh

    def _request(self, base: str) -> Request:
        left = self.deadline.remaining
        if left <= 0:
            raise ServiceTimeoutError(
                "The deadline passed before the call.", sent=self.maybe_sent, service_name=self.target
            )
        return Request(
            method=self.method,
            url=self.url(base),
            timeout=left,
            headers=self._headers(left),
            body=self.body,
            max_body_bytes=self.max_body_bytes,
        )

    def _headers(self, left: float) -> dict[str, str]:
        """The call's own headers and those of the work at hand: what links logs and traces, and how long we wait."""
        work = context.current()
        headers = {
            **self.headers,
            context.CORRELATION_HEADER: work.correlation_id,
            context.TRACEPARENT_HEADER: work.traceparent,
            context.TIMEOUT_HEADER: str(max(1, int(left * 1000))),
        }
        if work.request_id:
            headers[context.REQUEST_HEADER] = work.request_id
        return headers

    def _is_repeatable(self) -> bool:
        return self.keyed or self.method in _REPEATABLE

    def _lost(self, error: ServiceConnectionError | ServiceTimeoutError, base: str) -> bool:
        """Note a lost attempt and say whether it may be repeated."""
        if isinstance(error, ServiceConnectionError) or not error.sent:
            self.failed(base)
        self.maybe_sent = self.maybe_sent or error.sent
        return not error.sent or self._is_repeatable()

    def _pause(self, wait: int | None) -> Pause | None:
        """How long to wait before the next attempt; None when there is none left or no time for it."""
        if self.attempts >= self.policy.attempts:
            return None
        # A lost connection is tried elsewhere at once the first time: it is how a planned restart looks from here.
        at_once = wait is None and self.attempts == 1 and not self.maybe_sent
        seconds = 0.0 if at_once else self.policy.delay(self.attempts).total_seconds()
        seconds = max(seconds, float(wait or 0))
        return Pause(seconds=seconds) if seconds < self.deadline.remaining else None

    def _final(self, error: ServiceError) -> ServiceError:
        """The last error, which must not say "not sent" when an earlier attempt may have had its effect."""
        if isinstance(error, ServiceConnectionError | ServiceTimeoutError):
            error.sent = self.maybe_sent
            error.details.setdefault("service_name", self.target)
        error.repeated = self.attempts > 1
        return error
