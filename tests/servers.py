"""Servers that come from the system's packages, which not every machine has."""

import os
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
