"""`in_transaction` says the truth where Django's own flag does not."""

import pytest
from django.db import connection, transaction
from django.test import TestCase

from bandstand.database import in_transaction


class WithinATestCase(TestCase):
    """The trap: Django wraps this in a transaction that does not exist in production."""

    def test_the_test_cases_own_transaction_does_not_count(self):
        assert connection.in_atomic_block
        assert not in_transaction()

    def test_a_transaction_of_the_code_counts(self):
        with transaction.atomic():
            assert in_transaction()
        assert not in_transaction()


@pytest.mark.django_db
def test_the_trap_is_avoided_with_pytest_as_well():
    assert not in_transaction()
    with transaction.atomic():
        assert in_transaction()


@pytest.mark.django_db(transaction=True)
def test_without_a_test_case_it_follows_the_transaction():
    assert not in_transaction()
    with transaction.atomic():
        with transaction.atomic():
            assert in_transaction()
        assert in_transaction()
    assert not in_transaction()
