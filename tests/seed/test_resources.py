"""The articles' pools, cache keys, pickles and memory manager beside what stands in their place here."""

import ast
import pickle
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from django.template.loader import get_template
from psycopg.conninfo import make_conninfo

from bandstand.database import database_from_url
from bandstand.health import report

ROOT = Path(__file__).parents[2]


def test_r15_pool_settings_of_the_articles_keep_a_service_from_starting() -> None:
    with pytest.raises(psycopg.ProgrammingError, match="MAX_CONNS"):
        make_conninfo("dbname=orders", MAX_CONNS=20)
    options = database_from_url("postgres://orders:pw@db/orders")["OPTIONS"]
    pool = options.pop("pool")
    assert pool["max_size"] >= pool["min_size"] >= 1
    assert "statement_timeout" in make_conninfo("dbname=orders", **options)


def in_new_processes(expression: str) -> set[str]:
    """What *expression* is in three processes, as the workers of one service are."""
    program = f"from bandstand.web.etags import etag; print({expression})"
    command = [sys.executable, "-c", program]
    return {subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(3)}


def test_r16_a_key_made_of_hash_differs_in_every_process_and_ours_does_not() -> None:
    assert len(in_new_processes("hash(str(('get_user', 7)))")) == 3
    assert len(in_new_processes("etag('get_user', 7)")) == 1


def test_r17_a_pickle_cannot_be_read_as_text_and_nothing_of_ours_is_one() -> None:
    with pytest.raises(UnicodeDecodeError):
        pickle.dumps({"id": 7}).decode("utf-8")
    sources = [*ROOT.glob("src/bandstand/**/*.py"), *ROOT.glob("services/*/*/**/*.py")]
    imported = {name for source in sources for name in imports_of(source)}
    assert "json" in imported
    assert not imported & {"pickle", "marshal", "shelve", "dill", "cloudpickle"}


def imports_of(source: Path) -> set[str]:
    """The top-level modules that a file imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.django_db
def test_r19_the_memory_manager_fails_and_short_memory_takes_nothing_out_of_service() -> None:
    with pytest.raises(AttributeError):
        get_template.cache_clear()  # type: ignore[attr-defined]
    memory = report(detail=True)["checks"]["memory"]
    assert memory["critical"] is False
