"""Servers that come from the system's packages, which not every machine has."""

import os
import subprocess
from pathlib import Path

import pytest

from bandstand.engines import ENGINES, Absent

REQUIRED = "BANDSTAND_REQUIRE_SERVERS"


def skip_where_absent(name: str) -> None:
    """Skip the calling module where an engine's server is not installed; `.ci/run` sets a variable that forbids it."""
    try:
        ENGINES[name].binary()
    except Absent as error:
        if os.environ.get(REQUIRED):
            raise
        pytest.skip(str(error), allow_module_level=True)


def rabbitmq_knows_its_queues(folder: Path) -> bool:
    """Whether a RabbitMQ engine of *folder* has written down which replicated queues it has.

    RabbitMQ 3.10 writes the names of quorum queues and streams about three seconds after declaring them. Killed before,
    it has their messages and never finds them again.
    """
    for names in folder.glob("data/mnesia/*/*/*/names.dets"):
        known = names.read_bytes() + names.with_name("meta.dets").read_bytes()
        members = [each.name.encode() for each in names.parent.iterdir() if each.is_dir()]
        if not all(known.count(member) >= 2 for member in members):
            return False
    return True


def rabbitmqctl(folder: Path, *words: str) -> None:
    """Have the RabbitMQ engine of *folder* do something, by the tool that comes with it."""
    home = f"HOME={folder / 'data'}"
    (server, *_) = [found for found in map(_environment, Path("/proc").glob("[0-9]*")) if home in found]
    kept = ("ERL_EPMD_PORT=", "HOME=", "PATH=", "RABBITMQ_CONF_ENV_FILE=")
    environment = dict(each.split("=", 1) for each in server if each.startswith(kept))
    tool = ENGINES["rabbitmq"].binary().with_name("rabbitmqctl")
    command = [str(tool), "-n", "bandstand@localhost", *words]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


def _environment(process: Path) -> list[str]:
    try:
        return (process / "environ").read_text(errors="replace").split("\0")
    except OSError:  # of another user, or just gone
        return []
