"""A deterministic simulator of sagas: the real engine in a simulated world in which everything goes wrong.

One thread owns the clock, the network, the storage and several workers; one integer reproduces a schedule exactly.
"""

from bandstand.testing.simulation.many import search_with
from bandstand.testing.simulation.running import Failure, search, shrunk, simulate, survives, timeline
from bandstand.testing.simulation.storage import Violation

__all__ = ["Failure", "Violation", "search", "search_with", "shrunk", "simulate", "survives", "timeline"]
