"""`Idempotency-Key`: a keyed request takes effect at most once, and its first answer is given again.

    claim = idempotency.begin(request, required=True)
    if claim.replay:
        return claim.replay
    prices = clients.prices_of(...)                    # remote look-ups happen here, outside any transaction
    with claim.answering() as answer:
        order = commands.place_order(...)
        return answer(Response(..., status=202))

`begin` commits a leased claim before anything happens. The answer is stored in the transaction of the effect: either
both exist or neither does. A crash leaves a lease that runs out; whoever takes it over raises the epoch, so the one
who lost it fails to complete and its effect is rolled back. Only 2xx answers are kept.
"""

import functools
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.crypto import salted_hmac
from rest_framework.request import Request
from rest_framework.response import Response

from bandstand import clock, context
from bandstand.errors import BusinessRuleViolated, Conflict, ValidationFailed
from bandstand.web.config import web_settings
from bandstand.web.models import IdempotencyClaim
from bandstand.web.parsers import read_json
from bandstand.web.rest import JSONRenderer

__all__ = ["Answer", "Claim", "IdempotencyKeyReused", "RequestInProgress", "begin", "idempotent", "purge"]

H = TypeVar("H", bound=Callable[..., HttpResponseBase])

_KEY = re.compile(r"[A-Za-z0-9._:-]{8,255}")
_KEPT_HEADERS = ("Content-Type", "ETag", "Location")
_canonical = msgspec.json.Encoder(order="deterministic", enc_hook=str).encode


class IdempotencyKeyReused(BusinessRuleViolated):
    """The key was used for another request before."""

    rule = "idempotency_key_reused"
    sentence = "This Idempotency-Key was used for a different request."


class RequestInProgress(Conflict):
    """The first request with this key has not been answered yet."""

    conflict = "in_progress"
    sentence = "A request with this Idempotency-Key is in progress."

    def __init__(self) -> None:
        super().__init__(retry_after=1)


class Answer:
    """Takes the answer of the effect; call it once within the block."""

    response: HttpResponseBase | None = None

    def __call__(self, response: HttpResponseBase) -> HttpResponseBase:
        """Remember *response* and return it."""
        self.response = response
        return response


class Claim:
    """The right to execute one keyed request, or the answer it had. Without a key: just the transaction."""

    def __init__(self, *, scope: str = "", epoch: int = 0, replay: HttpResponse | None = None) -> None:
        self.scope = scope
        self.epoch = epoch
        self.replay = replay
        self._open = bool(scope) and replay is None

    @contextmanager
    def answering(self) -> Iterator[Answer]:
        """Open the transaction of the effect; at its end the answer is stored in it.

        Raises RequestInProgress, and rolls the effect back, when the lease was taken over meanwhile.
        """
        if self.replay is not None:
            raise RuntimeError("This request has been answered before: return claim.replay.")
        answer = Answer()
        try:
            with transaction.atomic(durable=True):
                yield answer
                if answer.response is None:
                    raise RuntimeError("Call answer(response) within the block.")
                self._complete(answer.response)
            self._open = False
        finally:
            self.release()

    def release(self) -> None:
        """Give the key back unless the request was answered, so that it can be tried again at once. Repeatable."""
        if self._open:
            self._open = False
            with suppress(DatabaseError):  # where the database is gone, the lease runs out by itself
                self._own().filter(status=None).delete()

    def _own(self) -> Any:
        return IdempotencyClaim.objects.filter(scope=self.scope, epoch=self.epoch)

    def _complete(self, response: HttpResponseBase) -> None:
        if not self._open:
            return
        if not 200 <= response.status_code < 300:
            self._own().filter(status=None).delete()
            return
        headers, body = _written(response)
        expires = clock.database_now() + web_settings().idempotency_keep
        values = [response.status_code, json.dumps(headers), body, expires, self.scope, self.epoch]
        completed = _executed(_COMPLETE, values)
        if not completed:
            raise RequestInProgress


def begin(request: Request | HttpRequest, *, required: bool = False) -> Claim:
    """Claim the request's key, durably and before anything else happens. Call it outside a transaction.

    Raises ValidationFailed (key missing though *required*, or ill-formed), IdempotencyKeyReused, RequestInProgress.
    An unanswered claim is released when the request ends in an error; a crash releases it after the lease.
    """
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is None and not required:
        return Claim()
    if key is None or not _KEY.fullmatch(key):
        sentence = "Required." if key is None else "Expected 8 to 255 of A-Z a-z 0-9 . _ : -"
        raise ValidationFailed(field_errors={"Idempotency-Key": [sentence]}, **{"in": "header"})
    plain: Any = getattr(request, "_request", request)
    who, body = _who(request), _body(request)
    if not who:  # it may hold a password: what is stored must be no use to who would guess it
        body = salted_hmac("bandstand.web.idempotency", body, algorithm="sha256").digest()
    scope = _digest(who or f"anonymous:{_digest(body)}", plain.method, _route(plain), key)
    claim = _claimed(scope=scope, fingerprint=_digest(plain.path.rstrip("/"), plain.META.get("QUERY_STRING", ""), body))
    plain.idempotency_claim = claim
    return claim


def idempotent(*, required: bool = False) -> Callable[[H], H]:
    """Make a REST framework handler that only writes to its own database idempotent: all of it is the effect."""

    def decorate(handler: H) -> H:
        @functools.wraps(handler)
        def keyed(view: Any, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
            claim = begin(request, required=required)
            if claim.replay is not None:
                return claim.replay
            with claim.answering() as answer:
                return answer(handler(view, request, *args, **kwargs))

        return keyed  # type: ignore[return-value]

    return decorate


def purge(*, limit: int = 1000) -> int:
    """Delete up to *limit* claims whose time is over and return how many; call it until it returns 0."""
    over = IdempotencyClaim.objects.filter(expires_at__lt=clock.database_now()).order_by("expires_at")
    deleted, _ = IdempotencyClaim.objects.filter(pk__in=list(over.values_list("pk", flat=True)[:limit])).delete()
    return deleted


def _claimed(*, scope: str, fingerprint: str) -> Claim:
    """Insert the claim, or judge the row that is there; one committed transaction."""
    settings = web_settings()
    with transaction.atomic(durable=True):
        now = clock.database_now()
        leased, expires = now + settings.idempotency_lease, now + settings.idempotency_keep
        if _executed(_INSERT, [scope, fingerprint, leased, expires, b""]):
            return Claim(scope=scope, epoch=1)
        row = IdempotencyClaim.objects.select_for_update().filter(pk=scope).first()
        if row is None:  # released since: the next attempt will have it
            raise RequestInProgress
        if row.expires_at > now:
            if row.fingerprint != fingerprint:
                raise IdempotencyKeyReused
            if row.status is not None:
                return Claim(scope=scope, replay=_replayed(row))
            if row.leased_until > now:
                raise RequestInProgress
        row.epoch += 1
        row.fingerprint, row.leased_until, row.expires_at, row.status = fingerprint, leased, expires, None
        row.save(update_fields=["epoch", "fingerprint", "leased_until", "expires_at", "status"])
        return Claim(scope=scope, epoch=row.epoch)


# Both run in every keyed request: raw SQL costs a third of the ORM's. The insert decides a race, on SQLite as on
# PostgreSQL; the update is the fence.
_INSERT = """
INSERT INTO bandstand_web_idempotency (scope, fingerprint, epoch, leased_until, expires_at, status, headers, body)
VALUES (%s, %s, 1, %s, %s, NULL, '{}', %s) ON CONFLICT (scope) DO NOTHING
"""
_COMPLETE = """
UPDATE bandstand_web_idempotency SET status = %s, headers = %s, body = %s, expires_at = %s
WHERE scope = %s AND epoch = %s AND status IS NULL
"""


def _executed(statement: str, values: list[Any]) -> bool:
    """Whether *statement* touched its row."""
    adapt = connection.ops.adapt_datetimefield_value
    adapted = [adapt(value) if isinstance(value, datetime) else value for value in values]
    with connection.cursor() as cursor:
        cursor.execute(statement, adapted)
        return bool(cursor.rowcount == 1)


def _who(request: Request | HttpRequest) -> str:
    user: Any = request.user if isinstance(request, Request) else context.current().principal
    if user is None or not user.is_authenticated:
        return ""
    return f"{getattr(user, 'kind', 'user')}:{user.pk}"


def _body(request: Request | HttpRequest) -> bytes:
    """The body as canonical JSON: neither the order of keys nor white space makes another request."""
    if isinstance(request, Request):
        return _canonical(request.data)
    return _canonical(read_json(request, into=object)) if request.body else b"{}"


def _route(request: HttpRequest) -> str:
    """The route's template, the same with and without its trailing slash."""
    match = request.resolver_match
    return (match.route if match else request.path).rstrip("/$")


def _digest(*parts: str | bytes | None) -> str:
    encoded = [part.encode() if isinstance(part, str) else part or b"" for part in parts]
    # Lengths first, so that no two lists of parts are the same bytes.
    framed = b"".join(b"%d:%b" % (len(part), part) for part in encoded)
    return hashlib.sha256(framed).hexdigest()


def _written(response: HttpResponseBase) -> tuple[dict[str, str], bytes]:
    headers = {name: response[name] for name in _KEPT_HEADERS if name in response}
    if isinstance(response, Response):  # not rendered yet: REST framework does it after the view
        headers["Content-Type"] = response.content_type or "application/json"
        return headers, JSONRenderer().render(response.data)
    return headers, getattr(response, "content", b"")


def _replayed(row: IdempotencyClaim) -> HttpResponse:
    response = HttpResponse(bytes(row.body), status=row.status, headers=json.loads(row.headers))
    response["Idempotency-Replayed"] = "true"
    return response
