"""Processes that end with whoever started them."""

import ctypes
import os
import signal
import sys

__all__ = ["die_with_parent"]

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent_pid: int, *, with_signal: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel send this process *with_signal* when the thread that spawned it ends (Linux, `prctl(2)`).

    Exits at once when *parent_pid* is already gone. Elsewhere than on Linux it only checks the parent.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, with_signal, 0, 0, 0)
    if os.getppid() != parent_pid:
        os._exit(1)
