"""Bugs in the engine and its table: what follows from what."""

from tests.mutants.declaration import Edit, Mutant

__all__ = ["ENGINE"]

_ENGINE, _SETTLING = "tests/sagas/test_engine.py", "tests/sagas/test_settling.py"
_VERDICTS, _GROUPS = "tests/models/test_verdicts.py", "tests/sagas/test_groups.py"
_CONSTRUCTS = "tests/sagas/test_constructs.py"

_UNDO_ANSWERED = "    return (Verdict.REPEAT if heard is Heard.CRASHED else Verdict.PAUSE), doubt"

ENGINE = (
    Mutant(
        "compensation from the step before",
        "the undo begins with the step before the one whose outcome is unknown",
        (
            Edit(
                "engine/back.py",
                "move.remove(position, done=(*state.done, position.unit), buried=(*state.buried, position.unit))",
                "move.remove(position)",
            ),
        ),
        _VERDICTS,
        model="FROMPREVIOUS",
    ),
    Mutant(
        "undo error swallowed",
        "an undo that failed counts as undone",
        (
            Edit(
                "transitions.py",
                _UNDO_ANSWERED,
                "    wrong = {Heard.CRASHED: Verdict.REPEAT, Heard.REFUSED: Verdict.PAUSE}\n"
                "    return wrong.get(heard, Verdict.UNDONE), doubt",
            ),
        ),
        _ENGINE,
        model="SWALLOWUNDO",
    ),
    Mutant(
        "refused undo is undone",
        "a participant's no to an undo counts as undone",
        (
            Edit(
                "transitions.py",
                _UNDO_ANSWERED,
                "    wrong = {Heard.CRASHED: Verdict.REPEAT, Heard.REFUSED: Verdict.UNDONE}\n"
                "    return wrong.get(heard, Verdict.PAUSE), doubt",
            ),
        ),
        _ENGINE,
    ),
    Mutant(
        "skip on resume",
        "a new owner takes the call that was under way as done",
        (Edit("engine/events.py", "CRASHED, held)", "HEARD_OK, held)"),),
        _ENGINE,
    ),
    Mutant(
        "doubt forgotten",
        "that an earlier attempt may have happened is forgotten with the next one",
        (Edit("transitions.py", "    return again, doubt or heard is not Heard.FAILED", "    return again, False"),),
        _ENGINE,
        model="SKIPDOUBT",
    ),
    Mutant(
        "no behind a doubt is clean",
        "a refused repeat leaves the attempt before it as it is",
        (
            Edit(
                "transitions.py",
                "return (Verdict.PAUSE if stance is Stance.FORWARD else giving_up), doubt",
                "return (Verdict.PAUSE if stance is Stance.FORWARD else Verdict.CLEAN), doubt",
            ),
        ),
        _ENGINE,
    ),
    Mutant(
        "pivot turned back",
        "a saga turns back although its pivot is done",
        (
            Edit(
                "engine/verdicts.py",
                "forward = state.forward or (leaf is not None and passes_pivot(leaf) and not state.forced)",
                "forward = False",
            ),
        ),
        _ENGINE,
        model="PIVOTBACK",
    ),
    Mutant(
        "undo in the order of doing",
        "the undo begins with what was done first",
        (
            Edit("engine/back.py", "unit = move.state.done[-1]", "unit = move.state.done[0]"),
            Edit("engine/back.py", "move.change(done=move.state.done[:-1])", "move.change(done=move.state.done[1:])"),
        ),
        _CONSTRUCTS,
    ),
    Mutant(
        "join that does not wait",
        "what follows a group begins when its first branch is done",
        (Edit("engine/forward.py", "        if _is_open(move, group, item):", "        if False:"),),
        _GROUPS,
    ),
    Mutant(
        "undo beside a call under way",
        "a refused branch is undone before the call of another one is answered",
        (Edit("engine/back.py", "    if not move.state.at:\n", "    if True:\n"),),
        _VERDICTS,
        model="EARLYJOIN",
    ),
    Mutant(
        "late answer for the undo",
        "the late answer to a call is taken for the answer to its undo",
        (
            Edit(
                "engine/events.py",
                "    if position is None or event.direction is not move.state.direction:\n        return\n"
                "    if position.unit == PARENT:",
                "    if position is None:\n        return\n    if position.unit == PARENT:",
            ),
        ),
        "tests/sagas/test_late_answers.py",
    ),
    Mutant(
        "timer without its moment",
        "a timer is over as soon as it begins",
        (
            Edit(
                "engine/attempts.py",
                "until = moment if deadline is None or moment <= deadline else deadline",
                "until = move.now",
            ),
        ),
        _CONSTRUCTS,
    ),
    Mutant(
        "wish forgotten",
        "a wish to cancel that comes while a call is under way is forgotten",
        (
            Edit(
                "engine/events.py", "    if move.state.cancel_requested:\n        _turn", "    if False:\n        _turn"
            ),
        ),
        _GROUPS,
    ),
    Mutant(
        "one query is enough",
        "a participant without tombstones is asked once whether a request has arrived",
        (Edit("engine/events.py", "_QUERIES_NEEDED = 2", "_QUERIES_NEEDED = 1"),),
        _SETTLING,
        model="ONEQUERY",
    ),
    Mutant(
        "no hold before the undo",
        "a participant without tombstones is asked while the request may still be on its way",
        (
            Edit(
                "engine/back.py",
                "if leaf.settle_after is not None and unit in move.state.buried:",
                "if leaf.settle_after is not None and not unit:",
            ),
        ),
        _SETTLING,
        model="NOHOLD",
    ),
    Mutant(
        "repeat beyond the memory",
        "a call is repeated though the participant may have forgotten its key",
        (
            Edit(
                "engine/attempts.py",
                "return position.doubt and move.now - position.since > leaf.horizon",
                "return False",
            ),
        ),
        _SETTLING,
    ),
)
