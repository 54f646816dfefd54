"""Processes that end with whoever started them."""

import ctypes
import os
import signal
import sys
import threading

from bandstand.clock import sleep

__all__ = ["die_with_parent", "wake_main_thread_on_signals"]

_PR_SET_PDEATHSIG = 1
_TIMES_SENT_ON, _PAUSE_SECONDS = 10, 0.1


def die_with_parent(parent_pid: int, *, with_signal: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel send this process *with_signal* when the thread that spawned it ends (Linux, `prctl(2)`).

    Exits at once when *parent_pid* is already gone. Elsewhere than on Linux it only checks the parent.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, with_signal, 0, 0, 0)
    if os.getppid() != parent_pid:
        os._exit(1)


def wake_main_thread_on_signals() -> None:
    """Make sure that SIGTERM and SIGINT reach Python's handlers though the main thread waits on a lock.

    Handlers run in the main thread only. The kernel may hand a signal to another thread, or deliver it just before the
    main thread falls asleep: then nothing wakes it, and about one stop in a hundred went unheard on a busy machine.
    Every signal is written to a descriptor; a thread that reads it sends the signal on. Call it in the main thread.
    """
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    main = threading.get_ident()
    threading.Thread(target=_send_on, args=(readable, main), name="signals", daemon=True).start()


def _send_on(readable: int, main: int) -> None:
    number = 0
    while number not in (signal.SIGTERM, signal.SIGINT):
        number = os.read(readable, 1)[0]
    for _ in range(_TIMES_SENT_ON):  # the main thread may be on its way to sleep this time too
        signal.pthread_kill(main, number)
        sleep(_PAUSE_SECONDS)
