"""The knobs of the payments service, read once."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from bandstand.config import Secret, load, setting


@dataclass(frozen=True, kw_only=True)
class PaymentsConfig:
    """Read from `PAYMENT_…`."""

    provider_url: str = setting("http://127.0.0.1:8900", text="where the payment provider answers")
    provider_timeout: timedelta = setting(timedelta(seconds=10), text="how long the provider is waited for")
    provider_calls: int = setting(3, text="how many payments may wait for the provider at a time")
    webhook_url: str = setting("", text="where the provider reaches /api/v1/payments/webhook/; empty: not registered")
    webhook_secret: Secret = setting(Secret(""), text="the secret the provider signs its webhooks with")
    reconcile_every: timedelta = setting(timedelta(seconds=60), text="how often unsettled payments are asked for")


@cache
def payments_config() -> PaymentsConfig:
    """The knobs of this process."""
    return load(PaymentsConfig, prefix="PAYMENT")
