"""What an event is: a named, versioned, immutable fact.

    class OrderPlaced(Event, name="orders.order_placed.v1", subject="order_id"):
        order_id: UUID
        total: int

A consumer declares a class of its own under the same name with only the fields it reads; unknown fields are ignored,
so a publisher may add fields at any time.
"""

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Self, dataclass_transform

import msgspec

__all__ = ["Event", "subject_of"]

_NAME = re.compile(r"(?P<service>[a-z][a-z0-9-]*)\.[a-z][a-z0-9_]*\.v[1-9][0-9]*")
_OURS = {"event_name", "event_owner", "subject_field", "encoded", "decoded"}
_encode = msgspec.json.Encoder().encode


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Event:
    """A fact. Each subclass is a frozen, keyword-only dataclass; `subject` names the field with the aggregate's id.

    Without `name` a class only shares fields with its subclasses; without `subject` it is consumed, never published.
    """

    event_name: ClassVar[str] = ""
    subject_field: ClassVar[str] = ""
    _decoder: ClassVar["msgspec.json.Decoder[Any] | None"] = None

    def __init_subclass__(cls, *, name: str = "", subject: str = "") -> None:
        super().__init_subclass__()
        dataclass(frozen=True, kw_only=True)(cls)
        cls.event_name, cls.subject_field, cls._decoder = name, subject, None
        taken = sorted(_OURS & cls.__dataclass_fields__.keys())  # type: ignore[attr-defined]
        if taken:
            raise ValueError(f"{cls.__qualname__}: a field cannot be called {taken[0]!r}")
        if not name:
            return
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} is no event name; expected <service>.<past_tense_fact>.v<major>")
        if subject and subject not in cls.__dataclass_fields__:  # type: ignore[attr-defined]
            raise ValueError(f"{name}: the subject {subject!r} is no field of {cls.__qualname__}")
        from bandstand.events import registry  # noqa: PLC0415 - the registry knows of Event

        registry.declare(cls)

    @classmethod
    def event_owner(cls) -> str:
        """The name of the service that may publish this event: the first part of its name."""
        return cls.event_name.partition(".")[0]

    def encoded(self) -> bytes:
        """The data as JSON."""
        return _encode(self)

    @classmethod
    def decoded(cls, data: bytes | msgspec.Raw) -> Self:
        """Read JSON data, ignoring fields this class does not declare.

        Raises msgspec.ValidationError or msgspec.DecodeError when it does not fit.
        """
        decoder = cls._decoder
        if decoder is None:
            decoder = cls._decoder = msgspec.json.Decoder(cls)
        event: Self = decoder.decode(data)
        return event


def subject_of(event: Event) -> str:
    """The id of the aggregate this fact is about; order is kept among events of one subject."""
    return str(getattr(event, event.subject_field))
