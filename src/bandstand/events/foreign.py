"""Messages of foreign publishers as a database can keep them: it must be able to bury what nobody can use."""

from dataclasses import replace

from bandstand.database.texts import storable
from bandstand.events.backends import Message

__all__ = ["keepable"]

_LONGEST = 200


def keepable(message: Message) -> tuple[Message, str]:
    """The message as the tables take it, and what is wrong with it where it had to be changed for that, else "".

    Lone surrogates and NUL are spelled out; type and subject are cut to 200 characters.
    """
    texts = {name: getattr(message, name) for name in ("event_id", "type", "subject", "body")}
    kept = {name: storable(text) for name, text in texts.items()}
    flaws = [f"its {name} holds characters that no database keeps" for name in texts if kept[name] != texts[name]]
    for name in ("type", "subject"):
        if len(kept[name]) > _LONGEST:
            flaws.append(f"its {name} has {len(texts[name])} characters; {_LONGEST} are allowed")
            kept[name] = kept[name][:_LONGEST]
    if not flaws:
        return message, ""
    return replace(message, **kept), f"the event cannot be kept: {', '.join(flaws)}"
