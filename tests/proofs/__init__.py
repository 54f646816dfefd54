"""Proofs with real processes: their long forms are `make prove`, the short ones are tests of the fleet."""
