"""Dead letters: what a person does with events that consumers gave up on. Every deed is audited as it is done."""

from bandstand.events.dead_letters.closing import discard, discard_all, replay, replay_all
from bandstand.events.dead_letters.editing import Edit, edit, event_data, preview, shown
from bandstand.events.dead_letters.finding import Filter, count, listed, open_letter, show
from bandstand.events.dead_letters.fitting import consumed_event, misfits

__all__ = [
    "Edit",
    "Filter",
    "consumed_event",
    "count",
    "discard",
    "discard_all",
    "edit",
    "event_data",
    "listed",
    "misfits",
    "open_letter",
    "preview",
    "replay",
    "replay_all",
    "show",
    "shown",
]
