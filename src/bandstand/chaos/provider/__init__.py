"""A simulated payment provider: a process of its own, with its own durable ledger, misbehaving on request.

Run it with `python -m bandstand.chaos.provider`. It knows nothing of Django or of the shop: it is the witness that
the audit asks what was really charged. The protocol is documented in `docs/reference/payment-provider.md`.
"""
