"""Calling a consumer, with one event within the context it came from, or with a batch."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec
from django.db import transaction

from bandstand import context
from bandstand.database.texts import reason_of
from bandstand.events.backends import Message
from bandstand.events.declaration import Event
from bandstand.events.envelope import Envelope, UnreadableEnvelope
from bandstand.events.registry import Consumer
from bandstand.events.upcasting import CannotUpcast, upcast
from bandstand.observability.metrics import counter, histogram
from bandstand.observability.tracing import span

__all__ = ["HandlerFailed", "Job", "Opened", "Unusable", "handle", "handle_opened", "opened"]

_consumed = counter("events_consumed_total", "Events handed to consumers, by outcome.", ("consumer", "outcome"))
_seconds = histogram("event_handling_seconds", "How long consumers take for one event, or one batch.", ("consumer",))


class HandlerFailed(Exception):
    """A consumer raised; the cause is what it raised."""


class Unusable(Exception):
    """The event can never be applied: unreadable, or nobody consumes it. Trying again is pointless."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One event for one consumer; `consumer` is None where the code for it is gone."""

    consumer_id: str
    consumer: Consumer | None
    message: Message
    flaw: str = ""
    """Why nobody can ever apply it, where that shows before it is read."""

    @property
    def event_id(self) -> UUID:
        """The event's id; derived from the content where the bus gave none that can be read."""
        try:
            return UUID(self.message.event_id)
        except ValueError:
            return uuid.uuid5(uuid.NAMESPACE_OID, self.message.event_id + self.message.body)

    @property
    def key(self) -> tuple[str, str]:
        """What keeps order: the consumer and the aggregate."""
        return self.consumer_id, self.message.subject


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """A job whose event has been read."""

    job: Job
    consumer: Consumer
    event: Event
    envelope: Envelope


def opened(job: Job) -> Opened:
    """Read the event of a job. Raises Unusable."""
    if job.flaw:
        raise Unusable(job.flaw)
    if job.consumer is None:
        raise Unusable(f"there is no consumer {job.consumer_id} of {job.message.type}")
    try:
        envelope = upcast(Envelope.decoded(job.message.body), job.consumer.event.event_name)
        event = job.consumer.event.decoded(envelope.data)
    except (UnreadableEnvelope, CannotUpcast, msgspec.DecodeError) as error:
        _consumed.labels(job.consumer_id, "unusable").inc()
        raise Unusable(f"the event cannot be read: {error}") from error
    return Opened(job=job, consumer=job.consumer, event=event, envelope=envelope)


def handle(job: Job, *, using: str) -> None:
    """Call the consumer in the transaction open on *using*. Raises HandlerFailed or Unusable."""
    handle_opened([opened(job)], using=using)


def handle_opened(read: Sequence[Opened], *, using: str) -> None:
    """Call a consumer with one event, or one of batches with several, in the open transaction. Raises HandlerFailed."""
    first = read[0]
    consumer, envelope = first.consumer, first.envelope
    names = {"messaging.message.id": str(envelope.id)} if len(read) == 1 else {}
    names |= {"messaging.consumer.group.name": consumer.id}
    work = _context(envelope) if len(read) == 1 else context.Context()
    with context.bound(work), span(f"consume {envelope.type}", "consumer", **names) as running:
        for each in read:
            if each.envelope.traceparent:
                running.link(each.envelope.traceparent)
        try:
            with _seconds.labels(consumer.id).time():
                _call(consumer, read)
        except Exception as error:
            _consumed.labels(consumer.id, "failed").inc()
            raise HandlerFailed(reason_of(error)) from error
    if transaction.get_rollback(using):  # else it would take its inbox row, and its neighbours, along without a word
        _consumed.labels(consumer.id, "failed").inc()
        raise HandlerFailed("the consumer marked its transaction for rollback")
    _consumed.labels(consumer.id, "applied").inc(len(read))


def _call(consumer: Consumer, read: Sequence[Opened]) -> None:
    if consumer.is_batch:
        consumer.handler([(each.event, each.envelope) for each in read])
    else:
        (one,) = read
        consumer.handler(one.event, one.envelope)


def _context(envelope: Envelope) -> context.Context:
    known = context.valid_correlation_id(envelope.correlation_id)
    trace = context.parse_traceparent(envelope.traceparent)
    trace_id, span_id, sampled = trace or (context.new_id(), "", True)
    return context.Context(
        correlation_id=envelope.correlation_id if known else context.new_id(),
        trace_id=trace_id,
        span_id=span_id,
        sampled=sampled,
        causation_id=str(envelope.id),
    )
