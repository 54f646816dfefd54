"""`python -m bandstand.cli`: the same command without its script."""

from bandstand.cli import main

main()
