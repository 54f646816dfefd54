"""The command `bandstand`: one thin file for each verb, loaded only when that verb is used."""

from bandstand.cli.verbs import main

__all__ = ["main"]
