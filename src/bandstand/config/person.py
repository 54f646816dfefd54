"""Who is at the keyboard, for the trails of what is done by hand."""

import os
import pwd

__all__ = ["operating_system_user"]


def operating_system_user() -> str:
    """The user this process runs as: not what its environment says, which anybody can set."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # as in a container that knows no such user
        return f"uid {number}"
