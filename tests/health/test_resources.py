"""Memory is the control group's, not the host's."""

from pathlib import Path

import pytest

from bandstand.health.resources import Shortage, check_disk_space, check_memory


def group(tmp_path: Path, *, limit: str, used: int) -> dict[str, Path]:
    folder = tmp_path / "groups" / "orders"
    folder.mkdir(parents=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{used}\n")
    own = tmp_path / "own"
    own.write_text("0::/orders\n")
    return {"groups": tmp_path / "groups", "own": own}


def test_memory_near_the_limit_of_the_group_is_a_shortage(tmp_path: Path) -> None:
    with pytest.raises(Shortage, match="95 MiB are used of 100"):
        check_memory(**group(tmp_path, limit=str(100 << 20), used=95 << 20))


def test_memory_within_the_limit_is_reported(tmp_path: Path) -> None:
    facts = check_memory(**group(tmp_path, limit=str(100 << 20), used=5 << 20))
    assert facts == {"used_bytes": 5 << 20, "limit_bytes": 100 << 20}


def test_without_a_limit_or_a_group_there_is_nothing_to_complain_of(tmp_path: Path) -> None:
    assert check_memory(**group(tmp_path, limit="max", used=1)) == {"used_bytes": 1}
    assert check_memory(groups=tmp_path / "none", own=tmp_path / "none") == {}


def test_the_volume_of_the_database_is_measured() -> None:
    assert check_disk_space()["free_bytes"] > 0
