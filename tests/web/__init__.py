"""Behaviour of the inbound edge, seen through a small API with real tables."""
