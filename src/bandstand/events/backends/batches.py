"""What of a batch a bus takes, and in which pieces."""

from collections.abc import Iterator, Sequence

from bandstand.events.backends.base import Message

__all__ = ["MAX_BYTES", "fitting", "parts"]

MAX_BYTES = 1_048_576
"""The longest event, on every bus behind a server."""

_PART_BYTES = 4 * MAX_BYTES
_PART_MESSAGES = 1_000


def fitting(messages: Sequence[Message]) -> tuple[list[Message], dict[str, str]]:
    """The messages a bus can take, and those it refuses with the reason.

    What follows a refused one of its subject is in neither.
    """
    taken: list[Message] = []
    refused: dict[str, str] = {}
    blocked: set[str] = set()
    for message in messages:
        if message.subject in blocked:
            continue
        size = len(message.body.encode())
        if size > MAX_BYTES:
            refused[message.event_id] = f"{size} bytes; the bus takes {MAX_BYTES}"
            blocked.add(message.subject)
        else:
            taken.append(message)
    return taken, refused


def parts(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """Cut a batch into pieces that a server swallows at once."""
    part: list[Message] = []
    size = 0
    for message in messages:
        if part and (size + len(message.body) > _PART_BYTES or len(part) == _PART_MESSAGES):
            yield part
            part, size = [], 0
        part.append(message)
        size += len(message.body)
    if part:
        yield part
