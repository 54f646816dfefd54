"""The events that sagas hear: those that start them, and those that their steps wait for."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from bandstand.config import identity
from bandstand.events import Envelope, Event, consumer, subscribe_locally
from bandstand.sagas.definition import Saga
from bandstand.sagas.models import SagaExecution
from bandstand.sagas.registry import sagas
from bandstand.sagas.signals import SignalName, live, send
from bandstand.sagas.starting import start
from bandstand.sagas.steps import Leaf, SagaCommand, WaitFor

__all__ = ["subscribe"]


def subscribe(saga: Saga) -> None:
    """Let *saga* be started by its event, and its steps hear what they wait for.

    An event of this service is heard in the transaction that publishes it, one of another service as a consumer hears
    it: once, in the transaction of its inbox.
    """
    if saga.starts_on is not None:
        _hear(saga, "start", saga.starts_on, lambda event: start(saga, event) if sagas.is_newest(saga) else None)
    for leaf in saga.plan.leaves:
        _subscribe_step(saga, leaf)


def _subscribe_step(saga: Saga, leaf: Leaf) -> None:
    match leaf:
        case WaitFor():
            _hear(saga, leaf.name, leaf.event, lambda event: _pass_on(saga, leaf, event))
        case SagaCommand():
            _hear(saga, leaf.name, leaf.reply, lambda event: _answer(SignalName.HEARD, leaf.reply_key(event), event))
            if leaf.recalled is not None and leaf.recalled_key is not None:
                undone, key = SignalName.RECALLED, leaf.recalled_key
                _hear(saga, f"{leaf.name}.recalled", leaf.recalled, lambda event: _answer(undone, key(event), event))


def _hear(saga: Saga, step: str, event: type[Event], heard: Callable[[Any], object]) -> None:
    def hear(event: Event, _: Envelope) -> None:
        heard(event)

    name = f"saga.{saga.name}.{step}" if saga.version == 1 else f"saga.{saga.name}.v{saga.version}.{step}"
    hear.__qualname__ = name
    if event.event_owner() == identity().name:
        subscribe_locally(event, hear)
    else:
        consumer(event, name=name)(hear)


def _pass_on(saga: Saga, leaf: WaitFor, event: Event) -> None:
    """Tell the saga, if it goes on by this declaration: by another version's it hears the event by a step of that."""
    found = live(saga.name, leaf.key(event)).values_list("pk", "version").first()
    if found is not None and sagas.heir(saga.name, found[1]) is saga:
        send(found[0], SignalName.HEARD, step=leaf.name, payload=event.encoded())


def _answer(name: SignalName, key: str, event: Event) -> None:
    """Pass a reply on; its key names the saga and the step. A participant serves others too, by keys of their own."""
    text, _, step = key.partition(":")
    try:
        saga_id = UUID(text)
    except ValueError:
        return
    if SagaExecution.objects.filter(pk=saga_id, lease_until__isnull=False).exists():
        send(saga_id, name, step=step, payload=event.encoded())
