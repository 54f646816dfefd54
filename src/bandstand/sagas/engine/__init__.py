"""The saga engine: a pure function from state, event and time to the next state and what is to be done.

Nothing here reads a clock, a database or a network; runner, tests and simulators drive the same function. What follows
from an outcome is looked up in `transitions.TRANSITIONS`, which the formal model includes. What keeps a saga right
under crashes and lost replies lies in four mechanisms, two of which are visible here: the intent of a call is a command
of its own and precedes the call, and an outcome that is not definite is `unknown`, never `failed`.
"""

from bandstand.sagas.engine.events import admitted, born, step

__all__ = ["admitted", "born", "step"]
