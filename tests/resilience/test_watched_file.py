"""A watched file: nobody sees less than what it holds, whoever reads it first."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from bandstand.resilience import WatchedFile


def test_threads_that_ask_during_the_first_reading_wait_for_it(tmp_path: Path) -> None:
    """Otherwise a service that has just started refuses tokens it trusts."""
    (tmp_path / "trust").write_bytes(b"users")
    reading, go_on = threading.Event(), threading.Event()

    def parse(content: bytes) -> bytes:
        reading.set()
        assert go_on.wait(5)
        return content

    watched = WatchedFile(tmp_path / "trust", parse=parse, empty=b"", every=timedelta(seconds=1))
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(watched.get)]
        assert reading.wait(5)
        asked += [pool.submit(watched.get) for _ in range(3)]
        threading.Event().wait(0.05)  # time enough for a wrong answer, none is needed for the right one
        go_on.set()
        assert [each.result(5) for each in asked] == [b"users"] * 4


def test_a_file_that_breaks_leaves_its_last_content_in_force(tmp_path: Path) -> None:
    path = tmp_path / "trust"
    path.write_bytes(b"1")
    watched = WatchedFile(path, parse=int, empty=0, every=timedelta(seconds=60))
    assert watched.get() == 1
    path.write_bytes(b"broken, and longer")
    watched.refresh()
    assert watched.get() == 1
    path.write_bytes(b"22")
    watched.refresh()
    assert watched.get() == 22
