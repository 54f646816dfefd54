"""The admin does what the command does, in a project that uses this concern alone."""

import subprocess
import sys
from ast import literal_eval


def test_dead_letters_are_read_edited_and_closed_in_the_admin_and_all_of_it_is_audited(tmp_path):
    command = [sys.executable, "-m", "tests.events.with_admin", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    statuses, said, state, audited = literal_eval(done.stdout.splitlines()[-1])
    assert statuses == [200, 200, 403, 200, 403, 200]
    assert said[0].endswith("number: Expected `int`, got `str`")
    assert "1 replayed." in said
    assert said[-1].endswith("is replayed already")
    assert state == "replayed"
    assert audited == [
        ("root", "edit", "a typing error", '{"number":1}'),
        ("root", "replay", "why not", ""),
    ]
