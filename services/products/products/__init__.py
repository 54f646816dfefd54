"""The products service of the reference shop."""
