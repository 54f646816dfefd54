"""The admin does what the command does, for those who may."""

import subprocess
import sys
from ast import literal_eval

import pytest


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    command = [sys.executable, "-m", "tests.sagas.with_admin", str(tmp_path_factory.mktemp("admin"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return literal_eval(done.stdout.splitlines()[-1])


def test_a_saga_is_seen_by_those_who_may_view_sagas(found):
    assert found["seen"] == {"root": 200, "guest": 403, "reader": 200, "clerk": 200, "manager": 200}
    assert found["list"]


def test_a_person_is_offered_what_their_permissions_allow(found):
    assert found["buttons"]["reader"] == []
    assert found["buttons"]["clerk"] == ["resolve:happened", "resolve:did-not-happen", "annotate"]
    assert found["buttons"]["manager"] == ["approve", "reject", "resolve:happened", "resolve:did-not-happen"]


def test_what_is_not_permitted_is_refused_whatever_the_page_offers(found):
    assert found["unsafe"] == 403
    assert found["annotated"][0] == 403
    assert found["approved"] == [403, ["travel ada: manager is approved"]]


def test_a_user_is_refused_in_code_as_in_the_admin(found):
    assert found["in code"] == "It takes auth.view_group to approve this."


def test_a_missing_note_is_said_in_words(found):
    assert found["annotated"][1] == ["travel ada: noted"]
    assert found["annotated"][2] == ["say why with --note: `annotate` stands in the saga's history"]


def test_the_page_shows_reason_history_and_words_and_escapes_them(found):
    assert found["shown"] == [True] * 4


def test_what_takes_two_persons_takes_two_persons(found):
    assert found["proposed"][0].startswith("travel ada: proposed: book is done")
    assert found["confirmed"][0] == 403
    assert found["confirmed"][1] == ["clerk has proposed it: it takes another person to confirm"]
    assert found["confirmed"][2][0].startswith("travel ada: book is done")
    assert found["confirmed"][3][0].startswith("there is no such proposal")
    assert found["ended"] == ["completed", ["annotate"]]


def test_everything_done_stands_in_the_trail(found):
    assert found["bulk"] == ["annotate was said to 1."]
    assert found["trail"] == [
        ("annotate", "clerk", "", "<b>call</b> first"),
        ("approved", "manager", "", ""),
        ("resolve", "clerk", "manager", "seen at the desk"),
        ("annotate", "clerk", "", "all well"),
    ]


def test_nothing_is_added_or_deleted_by_hand(found):
    assert found["never"] == [403, 403]
