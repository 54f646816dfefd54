"""The name under which a process holds a lease, and whether the process of a name is gone.

A process that was killed is usually followed by another on the same host, which need not wait until the lease lapses.
"""

import os
import secrets
import socket
from functools import cache
from hashlib import blake2s
from pathlib import Path

__all__ = ["is_gone", "own_name"]

_HOST_CHARACTERS = 60


def own_name() -> str:
    """A name for this process, of at most 100 characters; each call makes another."""
    return f"{socket.gethostname()[:_HOST_CHARACTERS]}:{_place()}:{os.getpid()}:{secrets.token_hex(4)}"


def is_gone(name: str) -> bool:
    """Whether *name* was given to a process that could be seen from here and has ended; False where nobody can tell."""
    _, place, pid, *_ = (*name.rsplit(":", 3), "", "", "")
    if not place or place != _place():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it lives, and is somebody else's
        return False
    return False


@cache
def _place() -> str:
    """What processes share whose numbers mean the same: a running kernel and a namespace; empty if that is unknown.

    The host's name would not do: clones and containers may have the same.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        namespace = Path("/proc/self/ns/pid").readlink()
    except OSError:  # not Linux
        return ""
    return blake2s(f"{boot} {namespace}".encode(), digest_size=6).hexdigest()
