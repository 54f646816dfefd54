"""Participants of sagas: the helper, the suite, the fake."""
