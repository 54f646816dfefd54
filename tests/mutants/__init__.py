"""Bugs planted in the sagas, and which of the checks catch them."""
