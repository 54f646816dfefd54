"""What a step raised, and what the log calls it."""

import pytest

from bandstand import errors
from bandstand.sagas import StepRefused
from bandstand.sagas.calls import answer_of
from bandstand.sagas.protocol import Outcome


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (StepRefused("user_inactive"), "user_inactive"),
        (errors.BusinessRuleViolated(business_rule="insufficient_stock"), "insufficient_stock"),
        (errors.Conflict(conflict="cancelled"), "cancelled"),
        (errors.PaymentDeclined(), "payment_declined"),
        (errors.NotFound(), "not_found"),
        (errors.ValidationFailed(), "validation_error"),
    ],
)
def test_a_definite_no_is_refused_with_its_reason(error, reason):
    assert (answer_of(error).outcome, answer_of(error).reason) == (Outcome.REFUSED, reason)


@pytest.mark.parametrize(
    "error",
    [
        errors.ServiceConnectionError(sent=True),
        errors.ServiceTimeoutError(sent=True),
        errors.ServiceHTTPError(status_code=500),
        errors.ServiceUnavailable(),
        errors.RateLimited(),
        errors.NotAuthenticated(),
        errors.InternalError(),
        errors.DeadlineExceeded(),
        KeyError("a fault in the step's own code"),
    ],
)
def test_whatever_may_have_happened_is_unknown(error):
    assert answer_of(error).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("error", [errors.ServiceConnectionError(sent=False), errors.ServiceTimeoutError(sent=False)])
def test_what_was_surely_not_sent_has_failed(error):
    assert answer_of(error).outcome is Outcome.FAILED


def test_a_local_step_that_raised_was_rolled_back():
    assert answer_of(KeyError(), local=True).outcome is Outcome.FAILED


def test_a_no_to_the_clients_own_repetition_is_doubtful_also_when_the_step_translates_it():
    error = errors.Conflict(conflict="cancelled")
    error.repeated = True
    assert answer_of(error).doubtful
    translated = StepRefused("deadline")
    translated.__cause__ = error
    assert answer_of(translated).doubtful
    assert not answer_of(StepRefused("deadline")).doubtful


def test_what_is_kept_of_an_error_fits_any_database():
    answer = answer_of(ValueError("a\0b\ud800" + "x" * 5000))
    assert "\0" not in answer.error
    assert len(answer.error.encode()) <= 1000
