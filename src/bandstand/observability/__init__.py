"""Logs, metrics and traces: configured once, used through the standard library and three small modules."""
