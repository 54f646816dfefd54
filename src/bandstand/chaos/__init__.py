"""What proves the house: a payment provider that misbehaves on request, and the checker of the shop's invariants."""
