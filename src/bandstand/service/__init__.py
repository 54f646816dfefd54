"""Composition: everything a service needs, from one settings call to the process that serves it.

Nothing is imported here, so that the parent of the server's workers stays small.
"""
