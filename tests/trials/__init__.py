"""Trials by fire: publishers, relays, consumers and brokers are killed at random, and then everything is counted."""
