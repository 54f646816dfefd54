"""What the provider tells by itself: signed, repeated until it is taken in, in any order."""

import hashlib
import hmac
import logging
import re

import msgspec
from django.http import HttpRequest, HttpResponse

from bandstand import clock
from bandstand.auth import public
from bandstand.errors import MethodNotAllowed, NotAuthenticated
from bandstand.web.internal import reply
from bandstand.web.parsers import parse_json
from bandstand.web.problems import from_exception
from payments import clients, commands, queries
from payments.config import payments_config
from payments.models import State

log = logging.getLogger(__name__)

_SIGNATURE = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})")
_OLDEST_SECONDS = 300


class ProviderEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a webhook; fields that are not read may be added by the provider."""

    id: str
    type: str
    key: str
    amount: int
    currency: str


def receive(request: HttpRequest) -> HttpResponse:
    """Take in one webhook: 200 also for what is known already or does not concern us, 401 for a wrong signature."""
    try:
        _authenticate(request)
        _apply(parse_json(request.body, into=ProviderEvent))
        return reply({})
    except Exception as error:  # noqa: BLE001 - the edge: every error becomes an answer, and the unexpected is logged
        return from_exception(error, request)


def _authenticate(request: HttpRequest) -> None:
    if request.method != "POST":
        raise MethodNotAllowed
    match = _SIGNATURE.fullmatch(request.headers.get("Provider-Signature", ""))
    secret = payments_config().webhook_secret.reveal()
    if match is None or not secret:
        raise NotAuthenticated
    signed = hmac.new(secret.encode(), match[1].encode() + b"." + request.body, hashlib.sha256).hexdigest()
    fresh = abs(clock.now().timestamp() - int(match[1])) <= _OLDEST_SECONDS
    if not hmac.compare_digest(signed, match[2]) or not fresh:
        raise NotAuthenticated


def _apply(event: ProviderEvent) -> None:
    """Follow the provider's word. Only the payment's state decides, so a repeat, however late, changes nothing."""
    if event.type != "charge.captured":
        return  # cancels and refunds are only ever asked for by us, and their answers are awaited
    payment = queries.payment_of(event.key)
    asked = payment and payment.order_id and (payment.amount_minor, payment.currency)
    if payment is None or (asked and asked != (event.amount, event.currency)):
        log.error("webhook.does_not_fit", extra={"webhook_id": event.id, "key": event.key})
    elif payment.state in (State.CANCELLED, State.DECLINED):
        log.error("webhook.captured_after_cancel", extra={"webhook_id": event.id, "key": event.key})
        clients.cancel_charge(event.key)  # where this raises, the provider repeats its webhook
    elif not payment.is_settled:
        commands.record_capture(key=event.key, amount_minor=event.amount, currency=event.currency)


webhook_view = public(receive)
webhook_view.csrf_exempt = True  # type: ignore[attr-defined]
