"""The app of the measured service."""
