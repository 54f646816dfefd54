"""A stop signal is heard even when the kernel hands it to a thread that runs no handlers."""

import subprocess
import sys

import pytest

PROGRAM = """
import signal, sys, threading
from bandstand.service.processes import wake_main_thread_on_signals

stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
if sys.argv[1] == "ours":
    wake_main_thread_on_signals()

def hit() -> None:
    asleep.wait()
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

asleep = threading.Event()
threading.Thread(target=hit, daemon=True).start()
threading.Timer(0.2, asleep.set).start()
stop.wait()
print("heard")
"""


def run(how: str, timeout: float) -> str:
    command = [sys.executable, "-c", PROGRAM, how]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=timeout).stdout.strip()


def test_a_signal_that_another_thread_got_wakes_the_main_thread() -> None:
    assert run("ours", timeout=20) == "heard"


def test_without_the_forwarder_it_is_lost() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run("naive", timeout=2)
