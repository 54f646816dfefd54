"""Typed settings: everything wrong is named at once, secrets never show."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest

from bandstand.config import ConfigurationError, Secret, describe, load, load_all, read_env_file


@dataclass(frozen=True, kw_only=True)
class Knobs:
    """A service's knobs."""

    url: str
    key: Secret
    deadline: timedelta = timedelta(seconds=120)
    level: Literal["INFO", "DEBUG"] = "INFO"
    hosts: tuple[str, ...] = ()
    retries: int = 3
    debug: bool = False


COMPLETE = {"ORDERS_URL": "http://x", "ORDERS_KEY": "hush"}


def test_values_take_the_type_of_their_field() -> None:
    values = {**COMPLETE, "ORDERS_DEADLINE_SECONDS": "2.5", "ORDERS_HOSTS": "a, b", "ORDERS_DEBUG": "yes"}
    knobs = load(Knobs, prefix="ORDERS", values=values)
    assert knobs.deadline == timedelta(seconds=2.5)
    assert knobs.hosts == ("a", "b")
    assert knobs.debug is True
    assert knobs.key.reveal() == "hush"


def test_every_fault_of_every_section_is_reported_at_once() -> None:
    values = {"A_RETRIES": "many", "A_LEVEL": "LOUD", "A_DEADLINE_SECONDS": "soon", "A_DEBUG": "perhaps", "B_KEY": "k"}
    with pytest.raises(ConfigurationError) as caught:
        load_all((Knobs, "A"), (Knobs, "B"), values=values)
    variables = {fault.variable for fault in caught.value.faults}
    assert variables == {"A_URL", "A_KEY", "A_RETRIES", "A_LEVEL", "A_DEADLINE_SECONDS", "A_DEBUG", "B_URL"}
    assert "'many'" in str(caught.value)
    assert "one of INFO, DEBUG" in str(caught.value)


def test_a_secret_file_is_read_and_its_value_never_shows(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("very-hush\n")
    values = {"ORDERS_URL": "postgres://me:pw@host/db", "ORDERS_KEY_FILE": str(secret)}
    knobs = load(Knobs, prefix="ORDERS", values=values)
    assert knobs.key.reveal() == "very-hush"
    dump = describe(knobs, prefix="ORDERS", values=values)
    shown = " ".join(f"{item.value} {item.source}" for item in dump) + repr(knobs.key)
    assert "very-hush" not in shown
    assert "pw@" not in shown
    assert next(item for item in dump if item.variable == "ORDERS_KEY").source == "file"


def test_a_missing_secret_file_is_a_fault_and_no_traceback() -> None:
    with pytest.raises(ConfigurationError, match="ORDERS_KEY"):
        load(Knobs, prefix="ORDERS", values={"ORDERS_URL": "x", "ORDERS_KEY_FILE": "/does/not/exist"})


def test_an_env_file_may_quote_comment_and_export(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("# a comment\nexport A=1\nB='two words'\n\nnonsense\nC=\"x=y\"\n")
    assert read_env_file(path) == {"A": "1", "B": "two words", "C": "x=y"}
