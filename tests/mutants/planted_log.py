"""Bugs in what is written and by whom: intents, epochs, leases, signals, limits."""

from tests.mutants.declaration import Edit, Mutant

__all__ = ["LOG"]

_MECHANISMS, _RUNNER = "tests/sagas/test_mechanisms.py", "tests/sagas/test_runner.py"
_CONSTRUCTS, _LIMITS = "tests/sagas/test_constructs.py", "tests/sagas/test_limits.py"

_NO_INTENT = """\
    from msgspec.structs import replace
    from bandstand.sagas.transitions import Phase
    before = {"phase": Phase.PAUSING, "attempt": 0}
    at = [replace(one, **before, next_at=one.since) if one.phase is Phase.CALLING else one for one in state.at]
    return _write(replace(state, at=tuple(at))).decode()"""

_ENDED_LATER = """\
        if moved.end is not None:
            from bandstand.sagas.runs import execution_of
            run.saga.ended(execution_of(run, moved.state, moved.context, clock.database_now()))
        run.state, run.context = moved.state, moved.context
"""

LOG = (
    Mutant(
        "no intent",
        "what is written before a call does not say that it is about to be made",
        (Edit("runs.py", "    return _write(state).decode()", _NO_INTENT),),
        f"{_MECHANISMS}::test_without_the_intent_a_crash_behind_the_call_leaves_a_charge",
        model="NOINTENT",
    ),
    Mutant(
        "claim keeps the epoch",
        "a saga is taken over without a new epoch, so that its last owner may write on",
        (
            Edit("leases.py", 'epoch=F("epoch") + 1, lease_until=now + lease)', "lease_until=now + lease)"),
            Edit("leases.py", "        row.epoch += 1\n", "        pass\n"),
        ),
        _MECHANISMS,
        model="NOFENCE",
    ),
    Mutant(
        "no fence",
        "neither lock nor write of a wave compares the epoch",
        (
            Edit("wave.py", "if epoch != one.run.epoch:", "if not epoch:"),
            Edit("store.py", "AND epoch = %(epoch)s", "AND epoch >= %(epoch)s"),
            Edit("store.py", "AND s.epoch = v.epoch", "AND s.epoch >= v.epoch"),
        ),
        _MECHANISMS,
        model="NOFENCE",
    ),
    Mutant(
        "lease never renewed",
        "a worker that waits long for an answer loses its saga though it lives",
        (Edit("runner.py", "leases.heartbeat(self.owner, live, lease=self.lease)", "pass"),),
        _RUNNER,
    ),
    Mutant(
        "lease ignored",
        "a worker takes over sagas whose lease has not run out",
        (Edit("leases.py", "lease_until__lte=now)", "lease_until__isnull=False)"),),
        _RUNNER,
    ),
    Mutant(
        "lease by the host's clock",
        "a worker whose host is ahead takes over sagas whose lease has not run out",
        (Edit("leases.py", "    now = clock.database_now()\n    due = ", "    now = clock.now()\n    due = "),),
        "tests/sagas/test_transactions.py",
    ),
    Mutant(
        "end without its follow-up",
        "an end is recorded although `ended` has failed",
        (
            Edit(
                "wave.py",
                "yield EndingFailed(answer.error, answer.jitter)",
                "moved.end = end\n                yield from ()",
            ),
        ),
        _RUNNER,
    ),
    Mutant(
        "follow-up behind the commit",
        "`ended` is called once the end is committed, and not again when that fails",
        (
            Edit("wave.py", "if type(saga).ended is not Saga.ended:", "if False:"),
            Edit("runner.py", "        run.state, run.context = moved.state, moved.context\n", _ENDED_LATER),
        ),
        _RUNNER,
    ),
    Mutant(
        "early signal dropped",
        "an event that comes before its step has begun is thrown away",
        (
            Edit(
                "wave.py",
                'changes = {"kept": True} if self.moved.end is None else {"taken_at": self._now}',
                'changes = {"taken_at": self._now}',
            ),
        ),
        _CONSTRUCTS,
    ),
    Mutant(
        "signal taken twice",
        "what was taken in is not marked, and the next wave takes it in again",
        (
            Edit(
                "wave.py",
                "SagaSignal.objects.filter(pk=signal.pk).update(taken_at=self._now)",
                "SagaSignal.objects.filter(pk=signal.pk).update(taken_at=None)",
            ),
        ),
        "tests/sagas/test_transactions.py",
    ),
    Mutant(
        "child survives its parent",
        "a parent that turns back does not undo its child",
        (Edit("steps.py", "asks = is_undone = True", "asks = True\n    is_undone = False"),),
        _CONSTRUCTS,
    ),
    Mutant(
        "limit counts what is in hand",
        "sagas that were let in but are in no worker's hands are not counted",
        (
            Edit(
                "admission.py",
                "lease_until__isnull=False, limit_key__isnull=False)",
                "owner__isnull=False, limit_key__isnull=False)",
            ),
        ),
        _LIMITS,
    ),
)
