"""CloudEvents 1.0 in JSON: what travels on the bus around an event's data.

The outbox stores an envelope without its sequence, which is the id that the row only gets by being inserted; the
relay adds it with `sequenced`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

__all__ = ["Envelope", "UnreadableEnvelope", "with_data"]


class UnreadableEnvelope(ValueError):
    """What came from the bus is no CloudEvents envelope of ours."""


class _Wire(msgspec.Struct, kw_only=True, omit_defaults=True):
    specversion: str
    id: UUID
    source: str
    type: str
    subject: str
    time: Annotated[datetime, msgspec.Meta(tz=True)]
    datacontenttype: str = "application/json"
    correlationid: str = ""
    causationid: str | None = None
    traceparent: str = ""
    data: msgspec.Raw
    sequence: str = ""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Wire)


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    """One event on its way: who says it, about what, in which order, and because of what.

    `sequence` grows strictly within a subject; 0 means that it is not known yet. `data` is the JSON of the event.
    """

    id: UUID
    type: str
    source: str
    subject: str
    time: datetime
    data: bytes
    sequence: int = 0
    correlation_id: str = ""
    causation_id: str | None = None
    traceparent: str = ""

    def encoded(self) -> bytes:
        """The envelope as JSON; without a sequence when that is 0."""
        wire = _Wire(
            specversion="1.0",
            id=self.id,
            source=self.source,
            type=self.type,
            subject=self.subject,
            time=self.time,
            correlationid=self.correlation_id,
            causationid=self.causation_id,
            traceparent=self.traceparent,
            data=msgspec.Raw(self.data),
            sequence=str(self.sequence) if self.sequence else "",
        )
        return _encoder.encode(wire)

    @classmethod
    def decoded(cls, encoded: bytes | str) -> "Envelope":
        """Read JSON; attributes that are not ours are ignored. Raises UnreadableEnvelope."""
        try:
            wire = _decoder.decode(encoded)
            return cls(
                id=wire.id,
                type=wire.type,
                source=wire.source,
                subject=wire.subject,
                time=wire.time,
                data=bytes(wire.data),
                sequence=int(wire.sequence or 0),
                correlation_id=wire.correlationid,
                causation_id=wire.causationid,
                traceparent=wire.traceparent,
            )
        except ValueError as error:  # msgspec's errors are ValueErrors
            raise UnreadableEnvelope(str(error)) from error


def sequenced(encoded: str, sequence: int) -> str:
    """Add the sequence to an encoded envelope that has none."""
    return f'{encoded[:-1]},"sequence":"{sequence}"}}'


def with_data(encoded: str, data: bytes) -> str:
    """Replace the data of an encoded envelope; all its other attributes survive, known or not.

    Raises UnreadableEnvelope, also for data that is no JSON object.
    """
    Envelope.decoded(encoded)
    try:
        msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        attributes = msgspec.json.decode(encoded, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError as error:
        raise UnreadableEnvelope(str(error)) from error
    attributes["data"] = msgspec.Raw(data)
    return _encoder.encode(attributes).decode()
