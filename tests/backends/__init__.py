"""The one behaviour suite of the buses."""
