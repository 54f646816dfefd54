"""Bugs in what passes between a saga and its participants: keys, answers, returns."""

from tests.mutants.declaration import Edit, Mutant

__all__ = ["CALLS"]

_ENGINE, _MECHANISMS = "tests/sagas/test_engine.py", "tests/sagas/test_mechanisms.py"

CALLS = (
    Mutant(
        "key per attempt",
        "each attempt comes with a key of its own, so that a repeat is a second effect",
        (Edit("calls.py", "        key=run.key(unit),", '        key=f"{run.key(unit)}.{attempt}",'),),
        _MECHANISMS,
        model="NOKEY",
    ),
    Mutant(
        "no tombstone",
        "a participant forgets a cancel that found nothing, and applies the request that comes after it",
        (
            Edit(
                "participant/keyed.py",
                "is_first = insert_absent(tombstone, using=using)",
                "is_first = _FOUND.first(kind, key, using=using) is None",
            ),
        ),
        "tests/participant/test_suite.py",
        model="NOTOMB",
    ),
    Mutant(
        "unknown is failed",
        "a request without an answer counts as never made",
        (
            Edit(
                "calls.py",
                "outcome = Outcome.FAILED if unmade else Outcome.UNKNOWN",
                "outcome = Outcome.FAILED",
            ),
        ),
        "tests/sagas/test_outcomes.py",
        model="UNKNOWNISFAILED",
    ),
    Mutant(
        "no of a repeat is believed",
        "a no that a client got on its own repetition counts as if nothing had happened before",
        (Edit("calls.py", "reason=reason, error=text, doubtful=doubtful)", "reason=reason, error=text)"),),
        "tests/sagas/test_outcomes.py",
        model="SILENTREPEAT",
    ),
    Mutant(
        "late reply ends a recall",
        "the reply to a command that comes after its recall counts as the answer to the recall",
        (
            Edit(
                "taking.py",
                "_UNDONE = (SignalName.RECALLED,",
                "_UNDONE = (SignalName.HEARD, SignalName.RECALLED,",
            ),
        ),
        "tests/sagas/test_construct_paths.py",
    ),
    Mutant(
        "done before confirmed",
        "a step is logged as done when its call is sent, not when it is answered",
        (
            Edit(
                "wave.py",
                "self._pending.append(command)",
                "self._pending.append(command)\n"
                "                    yield Answered(command.unit, command.direction, Outcome.OK)",
            ),
            Edit(
                "wave.py",
                "            if position is not None and position.attempt == call.attempt:\n",
                "            if position is None:\n"
                "                moved.calls.append((call, 30.0))\n"
                "            else:\n",
            ),
        ),
        _MECHANISMS,
    ),
    Mutant(
        "call before the commit",
        "the first call is made before the transaction that starts the saga has committed",
        (
            Edit(
                "starting.py",
                "transaction.on_commit(lambda: host.adopt(run, calls))",
                "host.adopt(run, calls)",
            ),
        ),
        "tests/sagas/test_transactions.py",
    ),
    Mutant(
        "local step without savepoint",
        "what a local step wrote before it raised stays",
        (Edit("calls.py", "                with transaction.atomic():", "                if True:"),),
        "tests/sagas/test_transactions.py",
    ),
    Mutant(
        "stale context",
        "what a step returns is merged into the context of the moment of its call: a parallel branch's return is lost",
        (
            Edit(
                "calls.py",
                "        answer = _attempt(run, call, run.context)",
                "        answer = digested(run, _attempt(run, call, run.context), run.context)",
            ),
        ),
        "tests/sagas/test_transactions.py",
    ),
    Mutant(
        "float money",
        "a float passes for an exact amount on its way into the context",
        (Edit("contexts.py", 'return "" if floats else "is a float', 'return "" if True else "is a float'),),
        "tests/sagas/test_contexts.py",
    ),
    Mutant(
        "start twice",
        "a second start for the same business key makes the first call once more",
        (Edit("store.py", "return written == 1", "return True"),),
        "tests/sagas/test_runner.py",
    ),
)
