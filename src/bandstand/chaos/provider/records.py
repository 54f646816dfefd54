"""The lines of the ledger: everything that ever happened at the provider, one fact each."""

from datetime import datetime

import msgspec

__all__ = [
    "Accepted",
    "Cancelled",
    "Captured",
    "Declined",
    "ModeSet",
    "Notified",
    "Record",
    "Refunded",
    "WebhookRegistered",
    "decode",
    "encode",
]


class _Fact(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    at: datetime


class _Charged(_Fact, frozen=True, kw_only=True):
    key: str
    reference: str
    amount: int
    currency: str


class Accepted(_Charged, frozen=True, kw_only=True, tag="accepted"):
    """A charge that will be executed at *due*, unless it is cancelled before."""

    due: datetime


class Captured(_Charged, frozen=True, kw_only=True, tag="captured"):
    """The money was taken. *event* is the id of the webhook that says so, empty when none is registered."""

    event: str = ""


class Declined(_Charged, frozen=True, kw_only=True, tag="declined"):
    """The money was refused."""

    reason: str


class Cancelled(_Fact, frozen=True, kw_only=True, tag="cancelled"):
    """The key is dead: a charge that comes later is refused."""

    key: str
    event: str = ""


class Refunded(_Fact, frozen=True, kw_only=True, tag="refunded"):
    """Money was given back; with an empty *refund* all that was left, because the charge itself was cancelled."""

    key: str
    amount: int
    refund: str = ""
    event: str = ""


class WebhookRegistered(_Fact, frozen=True, kw_only=True, tag="webhook_registered"):
    """Where webhooks go, and the secret that signs them."""

    url: str
    secret: str


class ModeSet(_Fact, frozen=True, kw_only=True, tag="mode_set"):
    """The provider was taken down or brought up again."""

    mode: str


class Notified(_Fact, frozen=True, kw_only=True, tag="notified"):
    """The receiver of webhooks has acknowledged this event."""

    event: str


Record = Accepted | Captured | Declined | Cancelled | Refunded | WebhookRegistered | ModeSet | Notified

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


def encode(record: Record) -> bytes:
    """Write *record* as one line."""
    return _encoder.encode(record) + b"\n"


def decode(line: bytes) -> Record:
    """Read one line. Raises msgspec.DecodeError when it is no complete record."""
    return _decoder.decode(line)
