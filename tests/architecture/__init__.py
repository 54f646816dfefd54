"""Checks of the house rules that no general tool knows: sizes, doors, names, layers."""
