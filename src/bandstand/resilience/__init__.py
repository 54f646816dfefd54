"""How to go on when something else does not: policies without I/O of their own."""
