"""A process dies at a named point as if killed, once, and the one that follows goes on."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
from bandstand.lifecycle.crashpoints import crash_point
for number in range(3):
    print(number, flush=True)
    crash_point("test.point")
    crash_point("test.other")
print("end", flush=True)
"""


def run(data: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"BANDSTAND_DATA": str(data), "PYTHONPATH": "src", **variables}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def test_nothing_happens_unless_the_environment_says_so(tmp_path: Path) -> None:
    assert run(tmp_path).stdout.split() == ["0", "1", "2", "end"]


def test_the_process_dies_at_the_point_and_the_next_one_goes_on(tmp_path: Path) -> None:
    first = run(tmp_path, BANDSTAND_CRASH_AT="test.point")
    assert (first.returncode, first.stdout.split()) == (137, ["0"])
    second = run(tmp_path, BANDSTAND_CRASH_AT="test.point")
    assert (second.returncode, second.stdout.split()) == (0, ["0", "1", "2", "end"])


def test_the_hit_counts_passages(tmp_path: Path) -> None:
    assert run(tmp_path, BANDSTAND_CRASH_AT="test.other#3").stdout.split() == ["0", "1", "2"]


def test_every_hit_of_a_point_crashes_once_of_its_own(tmp_path: Path) -> None:
    assert run(tmp_path, BANDSTAND_CRASH_AT="test.point#1").returncode == 137
    assert run(tmp_path, BANDSTAND_CRASH_AT="test.point#2").returncode == 137


def test_of_several_points_each_process_dies_at_the_first_that_is_left(tmp_path: Path) -> None:
    both = "test.other#3, test.point"
    assert run(tmp_path, BANDSTAND_CRASH_AT=both).stdout.split() == ["0", "1", "2"]
    assert run(tmp_path, BANDSTAND_CRASH_AT=both).stdout.split() == ["0"]
    assert run(tmp_path, BANDSTAND_CRASH_AT=both).stdout.split() == ["0", "1", "2", "end"]


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    broken = run(tmp_path, BANDSTAND_CRASH_AT="test.point#x", BANDSTAND_DATA="")
    assert "BANDSTAND_DATA: is not set" in broken.stderr
    assert "BANDSTAND_CRASH_AT: 'test.point#x' is wrong" in broken.stderr
