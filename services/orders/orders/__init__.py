"""The orders service of the reference shop."""
