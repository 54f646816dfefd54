"""What is true about the transaction at hand."""

from django.db import connections

__all__ = ["in_transaction"]


def in_transaction(using: str = "default") -> bool:
    """Whether a real transaction is open on *using*.

    Django's `TestCase` wraps each test in one; `in_atomic_block` is therefore always true there and a guard built on
    it passes in tests and raises in production. Blocks opened by the test case do not count (Django itself asks the
    same private attribute for `durable=True`).
    """
    blocks = connections[using].atomic_blocks
    return bool(blocks) and any(not block._from_testcase for block in blocks)  # type: ignore[attr-defined]  # noqa: SLF001
