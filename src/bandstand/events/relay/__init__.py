"""The relay: carries pending outbox rows to the bus, and only then marks them delivered.

It dies anywhere without losing an event: a row is moved after the bus has accepted it, so the worst is a second
delivery, which inboxes recognise. Never does it read by `id > last`: ids become visible out of order on PostgreSQL,
and that would pass over those that commit late.
"""

from bandstand.events.relay.loop import RelayLoop
from bandstand.events.relay.moving import Relay
from bandstand.events.relay.reviving import revive

__all__ = ["Relay", "RelayLoop", "revive"]
