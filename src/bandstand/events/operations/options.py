"""Options that several commands take, and what they mean."""

from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser

from bandstand.events.dead_letters import Filter
from bandstand.events.models import DeadLetter
from bandstand.events.operations.words import moment, positive

__all__ = ["add_deed", "add_filters", "filter_of", "moment", "positive"]


def add_filters(parser: CommandParser) -> None:
    """Let dead letters be chosen by id or by what they are."""
    parser.add_argument("id", type=UUID, nargs="*")
    parser.add_argument("--consumer", default="")
    parser.add_argument("--type", default="", help="the type of the event")
    parser.add_argument("--subject", default="")
    parser.add_argument("--since", type=moment, metavar="MOMENT", help="died at or after: 2h ago, or 2026-05-04T10:00Z")
    parser.add_argument("--before", type=moment, metavar="MOMENT", help="died before")
    parser.add_argument("--reason", default="", metavar="TEXT", help="a part of the reason, whatever its case")


def filter_of(options: dict[str, Any]) -> Filter:
    """The filter that the options describe; `--state` where there is one, else the open ones."""
    state = options.get("state", "dead")
    names = ("consumer", "type", "subject", "since", "before", "reason")
    return Filter(
        ids=tuple(options["id"]),
        state=None if state == "any" else DeadLetter.State(state),
        **{name: options[name] for name in names},
    )


def add_deed(parser: CommandParser) -> None:
    """Let it be said who does it and why, and what would be done."""
    parser.add_argument("--by", default="", help="who does it, for the audit trail; default: the user of the system")
    parser.add_argument("--note", default="", help="why, for the audit trail")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    parser.add_argument("--json", action="store_true")
