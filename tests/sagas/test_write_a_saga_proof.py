"""The saga of docs/howto/write-a-saga.md, crashed at every point by the rehearsal that stands on the page."""

import pytest

from bandstand.testing.sagas import prove
from tests.sagas.test_write_a_saga import MODULES


@pytest.mark.sqlite(reason="a proof is thousands of waves; that of the order saga is repeated on PostgreSQL")
def test_the_pages_saga_is_proved_by_the_pages_rehearsal(
    transactional_db: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("CRITICAL")
    proof = prove(MODULES["payouts.rehearsals"].PAYOUT)
    proof.check()
    assert {"saga.payout.transfer.do.after_call", "saga.payout.hold.undo.after_call"} <= proof.points
