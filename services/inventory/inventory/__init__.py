"""The inventory service of the reference shop."""
