"""The notifications service of the reference shop."""
