"""Sagas of Bandstand and of its peers, under load."""
