"""No test that is held against a planted bug outlives the run that started it."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutants.running import ROOT, copied

pytestmark = pytest.mark.sqlite(reason="about processes")

DEADLINE_SECONDS = 60.0
RUN = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from bandstand.service.processes import wake_main_thread_on_signals
from tests.mutants.children import CHILDREN
from tests.mutants.running import run

wake_main_thread_on_signals()
with ThreadPoolExecutor(1) as pool, CHILDREN.interruptible():
    pool.submit(run, Path(sys.argv[1]), ["tests/sagas/test_waits.py"], deadline_seconds=300).result()
"""
WAITS = """
import os, signal

def test_waits():
    os.write(os.open({fifo!r}, os.O_WRONLY), b"begun")
    signal.pause()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_a_run_that_is_stopped_takes_its_tests_along(number: signal.Signals, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    alive = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    with copied() as folder:
        (folder / "tests/sagas/test_waits.py").write_text(WAITS.format(fifo=str(tmp_path / "fifo")))
        started = subprocess.Popen([sys.executable, "-c", RUN, str(folder)], cwd=ROOT, stderr=subprocess.DEVNULL)
        try:
            assert heard(alive) == b"begun"
            started.send_signal(number)
            assert started.wait(DEADLINE_SECONDS) != 0
            assert heard(alive) == b"", "the end of a pipe that the test alone holds open"
        finally:
            started.kill()
            started.wait()
    os.close(alive)


def heard(pipe: int) -> bytes:
    """The next that is written there, or the end of it."""
    assert select.select([pipe], [], [], DEADLINE_SECONDS)[0], "the test still waits"
    return os.read(pipe, 100)
