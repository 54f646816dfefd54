"""The launcher: the whole fleet on one machine, supervised, behind a real gateway."""
