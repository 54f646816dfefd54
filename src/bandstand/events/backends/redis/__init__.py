"""The Redis bus: streams on Redis 7 or later, or on Valkey. Needs the extra `bandstand[redis]`.

One stream per publishing service, so that order per subject holds over all its types. A group is a consumer group of
each stream it listens to, and its place there is the group's last delivered id. Only one process reads for a group, by
a lease; so the place can be a cursor that moves when the inbox has committed, instead of a list of pending entries.
Every script that reads or moves a place checks the lease in the same breath: who lost it can do no harm.
"""

from bandstand.events.backends.redis.bus import RedisBus

__all__ = ["RedisBus"]
