"""The members of its enums that the engine compares with, each found once.

Python 3.11 takes a quarter of a microsecond for every `Phase.CALLING`: that was half of the time of a step.
"""

from bandstand.sagas.protocol import Outcome
from bandstand.sagas.steps import Direction, Mode, StepKind
from bandstand.sagas.transitions import Heard, Phase, Stance, Verdict

DO = Direction.DO
UNDO = Direction.UNDO
CALL = Mode.CALL
LOCAL = Mode.LOCAL
ASK = Mode.ASK
TIMER = Mode.TIMER
RETRIABLE = StepKind.RETRIABLE
CALLING = Phase.CALLING
PAUSING = Phase.PAUSING
UNDOING = Phase.UNDOING
RESTING = Phase.RESTING
OPEN = Stance.OPEN
GIVEN_UP = Stance.GIVEN_UP
FORWARD = Stance.FORWARD
HEARD_OK = Heard.OK
HEARD_REFUSED = Heard.REFUSED
HEARD_FAILED = Heard.FAILED
HEARD_UNKNOWN = Heard.UNKNOWN
CRASHED = Heard.CRASHED
DUE = Heard.DUE
SAID_INTENT = Outcome.INTENT
SAID_OK = Outcome.OK
SAID_REFUSED = Outcome.REFUSED
SAID_SKIPPED = Outcome.SKIPPED
SAID_ABSENT = Outcome.ABSENT
SAID_BEGUN = Outcome.BEGUN
DONE = Verdict.DONE
REPEAT = Verdict.REPEAT
PAUSE = Verdict.PAUSE
CLEAN = Verdict.CLEAN
BURY = Verdict.BURY
UNDONE = Verdict.UNDONE
