/* Generated from bandstand.sagas.transitions by `python -m tests.models.transitions`. Do not edit. */

#define CALLING 1
#define PAUSING 2
#define UNDOING 3
#define RESTING 4

#define OK 1
#define REFUSED 2
#define FAILED 3
#define UNKNOWN 4
#define CRASHED 5
#define DUE 6

#define OPEN 1
#define GIVEN_UP 2
#define FORWARD 3

#define DONE 1
#define REPEAT 2
#define PAUSE 3
#define CLEAN 4
#define BURY 5
#define UNDONE 6

inline transition(its_phase, is_heard, its_stance, in_doubt, verdict) {
  if
  :: its_phase == CALLING && is_heard == OK && its_stance == OPEN && in_doubt == 0 -> verdict = DONE; in_doubt = 0
  :: its_phase == CALLING && is_heard == OK && its_stance == OPEN && in_doubt == 1 -> verdict = DONE; in_doubt = 0
  :: its_phase == CALLING && is_heard == OK && its_stance == GIVEN_UP && in_doubt == 0 -> verdict = DONE; in_doubt = 0
  :: its_phase == CALLING && is_heard == OK && its_stance == GIVEN_UP && in_doubt == 1 -> verdict = DONE; in_doubt = 0
  :: its_phase == CALLING && is_heard == OK && its_stance == FORWARD && in_doubt == 0 -> verdict = DONE; in_doubt = 0
  :: its_phase == CALLING && is_heard == OK && its_stance == FORWARD && in_doubt == 1 -> verdict = DONE; in_doubt = 0
  :: its_phase == CALLING && is_heard == REFUSED && its_stance == OPEN && in_doubt == 0 -> verdict = CLEAN; in_doubt = 0
  :: its_phase == CALLING && is_heard == REFUSED && its_stance == OPEN && in_doubt == 1 -> verdict = BURY; in_doubt = 1
  :: its_phase == CALLING && is_heard == REFUSED && its_stance == GIVEN_UP && in_doubt == 0 -> verdict = CLEAN; in_doubt = 0
  :: its_phase == CALLING && is_heard == REFUSED && its_stance == GIVEN_UP && in_doubt == 1 -> verdict = BURY; in_doubt = 1
  :: its_phase == CALLING && is_heard == REFUSED && its_stance == FORWARD && in_doubt == 0 -> verdict = PAUSE; in_doubt = 0
  :: its_phase == CALLING && is_heard == REFUSED && its_stance == FORWARD && in_doubt == 1 -> verdict = PAUSE; in_doubt = 1
  :: its_phase == CALLING && is_heard == FAILED && its_stance == OPEN && in_doubt == 0 -> verdict = PAUSE; in_doubt = 0
  :: its_phase == CALLING && is_heard == FAILED && its_stance == OPEN && in_doubt == 1 -> verdict = PAUSE; in_doubt = 1
  :: its_phase == CALLING && is_heard == FAILED && its_stance == GIVEN_UP && in_doubt == 0 -> verdict = CLEAN; in_doubt = 0
  :: its_phase == CALLING && is_heard == FAILED && its_stance == GIVEN_UP && in_doubt == 1 -> verdict = BURY; in_doubt = 1
  :: its_phase == CALLING && is_heard == FAILED && its_stance == FORWARD && in_doubt == 0 -> verdict = PAUSE; in_doubt = 0
  :: its_phase == CALLING && is_heard == FAILED && its_stance == FORWARD && in_doubt == 1 -> verdict = PAUSE; in_doubt = 1
  :: its_phase == CALLING && is_heard == UNKNOWN && its_stance == OPEN && in_doubt == 0 -> verdict = PAUSE; in_doubt = 1
  :: its_phase == CALLING && is_heard == UNKNOWN && its_stance == OPEN && in_doubt == 1 -> verdict = PAUSE; in_doubt = 1
  :: its_phase == CALLING && is_heard == UNKNOWN && its_stance == GIVEN_UP && in_doubt == 0 -> verdict = BURY; in_doubt = 1
  :: its_phase == CALLING && is_heard == UNKNOWN && its_stance == GIVEN_UP && in_doubt == 1 -> verdict = BURY; in_doubt = 1
  :: its_phase == CALLING && is_heard == UNKNOWN && its_stance == FORWARD && in_doubt == 0 -> verdict = PAUSE; in_doubt = 1
  :: its_phase == CALLING && is_heard == UNKNOWN && its_stance == FORWARD && in_doubt == 1 -> verdict = PAUSE; in_doubt = 1
  :: its_phase == CALLING && is_heard == CRASHED && its_stance == OPEN && in_doubt == 0 -> verdict = REPEAT; in_doubt = 1
  :: its_phase == CALLING && is_heard == CRASHED && its_stance == OPEN && in_doubt == 1 -> verdict = REPEAT; in_doubt = 1
  :: its_phase == CALLING && is_heard == CRASHED && its_stance == GIVEN_UP && in_doubt == 0 -> verdict = BURY; in_doubt = 1
  :: its_phase == CALLING && is_heard == CRASHED && its_stance == GIVEN_UP && in_doubt == 1 -> verdict = BURY; in_doubt = 1
  :: its_phase == CALLING && is_heard == CRASHED && its_stance == FORWARD && in_doubt == 0 -> verdict = REPEAT; in_doubt = 1
  :: its_phase == CALLING && is_heard == CRASHED && its_stance == FORWARD && in_doubt == 1 -> verdict = REPEAT; in_doubt = 1
  :: its_phase == PAUSING && is_heard == OK && its_stance == OPEN && in_doubt == 0 -> verdict = DONE; in_doubt = 0
  :: its_phase == PAUSING && is_heard == OK && its_stance == OPEN && in_doubt == 1 -> verdict = DONE; in_doubt = 0
  :: its_phase == PAUSING && is_heard == OK && its_stance == GIVEN_UP && in_doubt == 0 -> verdict = DONE; in_doubt = 0
  :: its_phase == PAUSING && is_heard == OK && its_stance == GIVEN_UP && in_doubt == 1 -> verdict = DONE; in_doubt = 0
  :: its_phase == PAUSING && is_heard == OK && its_stance == FORWARD && in_doubt == 0 -> verdict = DONE; in_doubt = 0
  :: its_phase == PAUSING && is_heard == OK && its_stance == FORWARD && in_doubt == 1 -> verdict = DONE; in_doubt = 0
  :: its_phase == PAUSING && is_heard == REFUSED && its_stance == OPEN && in_doubt == 0 -> verdict = CLEAN; in_doubt = 0
  :: its_phase == PAUSING && is_heard == REFUSED && its_stance == OPEN && in_doubt == 1 -> verdict = BURY; in_doubt = 1
  :: its_phase == PAUSING && is_heard == REFUSED && its_stance == GIVEN_UP && in_doubt == 0 -> verdict = CLEAN; in_doubt = 0
  :: its_phase == PAUSING && is_heard == REFUSED && its_stance == GIVEN_UP && in_doubt == 1 -> verdict = BURY; in_doubt = 1
  :: its_phase == PAUSING && is_heard == REFUSED && its_stance == FORWARD && in_doubt == 0 -> verdict = PAUSE; in_doubt = 0
  :: its_phase == PAUSING && is_heard == REFUSED && its_stance == FORWARD && in_doubt == 1 -> verdict = PAUSE; in_doubt = 1
  :: its_phase == PAUSING && is_heard == DUE && its_stance == OPEN && in_doubt == 0 -> verdict = REPEAT; in_doubt = 0
  :: its_phase == PAUSING && is_heard == DUE && its_stance == OPEN && in_doubt == 1 -> verdict = REPEAT; in_doubt = 1
  :: its_phase == PAUSING && is_heard == DUE && its_stance == GIVEN_UP && in_doubt == 0 -> verdict = CLEAN; in_doubt = 0
  :: its_phase == PAUSING && is_heard == DUE && its_stance == GIVEN_UP && in_doubt == 1 -> verdict = BURY; in_doubt = 1
  :: its_phase == PAUSING && is_heard == DUE && its_stance == FORWARD && in_doubt == 0 -> verdict = REPEAT; in_doubt = 0
  :: its_phase == PAUSING && is_heard == DUE && its_stance == FORWARD && in_doubt == 1 -> verdict = REPEAT; in_doubt = 1
  :: its_phase == UNDOING && is_heard == OK && its_stance == OPEN && in_doubt == 0 -> verdict = UNDONE; in_doubt = 0
  :: its_phase == UNDOING && is_heard == OK && its_stance == OPEN && in_doubt == 1 -> verdict = UNDONE; in_doubt = 0
  :: its_phase == UNDOING && is_heard == OK && its_stance == GIVEN_UP && in_doubt == 0 -> verdict = UNDONE; in_doubt = 0
  :: its_phase == UNDOING && is_heard == OK && its_stance == GIVEN_UP && in_doubt == 1 -> verdict = UNDONE; in_doubt = 0
  :: its_phase == UNDOING && is_heard == OK && its_stance == FORWARD && in_doubt == 0 -> verdict = UNDONE; in_doubt = 0
  :: its_phase == UNDOING && is_heard == OK && its_stance == FORWARD && in_doubt == 1 -> verdict = UNDONE; in_doubt = 0
  :: its_phase == UNDOING && is_heard == REFUSED && its_stance == OPEN && in_doubt == 0 -> verdict = PAUSE; in_doubt = 0
  :: its_phase == UNDOING && is_heard == REFUSED && its_stance == OPEN && in_doubt == 1 -> verdict = PAUSE; in_doubt = 1
  :: its_phase == UNDOING && is_heard == REFUSED && its_stance == GIVEN_UP && in_doubt == 0 -> verdict = PAUSE; in_doubt = 0
  :: its_phase == UNDOING && is_heard == REFUSED && its_stance == GIVEN_UP && in_doubt == 1 -> verdict = PAUSE; in_doubt = 1
  :: its_phase == UNDOING && is_heard == REFUSED && its_stance == FORWARD && in_doubt == 0 -> verdict = PAUSE; in_doubt = 0
  :: its_phase == UNDOING && is_heard == REFUSED && its_stance == FORWARD && in_doubt == 1 -> verdict = PAUSE; in_doubt = 1
  :: its_phase == UNDOING && is_heard == FAILED && its_stance == OPEN && in_doubt == 0 -> verdict = PAUSE; in_doubt = 0
  :: its_phase == UNDOING && is_heard == FAILED && its_stance == OPEN && in_doubt == 1 -> verdict = PAUSE; in_doubt = 1
  :: its_phase == UNDOING && is_heard == FAILED && its_stance == GIVEN_UP && in_doubt == 0 -> verdict = PAUSE; in_doubt = 0
  :: its_phase == UNDOING && is_heard == FAILED && its_stance == GIVEN_UP && in_doubt == 1 -> verdict = PAUSE; in_doubt = 1
  :: its_phase == UNDOING && is_heard == FAILED && its_stance == FORWARD && in_doubt == 0 -> verdict = PAUSE; in_doubt = 0
  :: its_phase == UNDOING && is_heard == FAILED && its_stance == FORWARD && in_doubt == 1 -> verdict = PAUSE; in_doubt = 1
  :: its_phase == UNDOING && is_heard == UNKNOWN && its_stance == OPEN && in_doubt == 0 -> verdict = PAUSE; in_doubt = 0
  :: its_phase == UNDOING && is_heard == UNKNOWN && its_stance == OPEN && in_doubt == 1 -> verdict = PAUSE; in_doubt = 1
  :: its_phase == UNDOING && is_heard == UNKNOWN && its_stance == GIVEN_UP && in_doubt == 0 -> verdict = PAUSE; in_doubt = 0
  :: its_phase == UNDOING && is_heard == UNKNOWN && its_stance == GIVEN_UP && in_doubt == 1 -> verdict = PAUSE; in_doubt = 1
  :: its_phase == UNDOING && is_heard == UNKNOWN && its_stance == FORWARD && in_doubt == 0 -> verdict = PAUSE; in_doubt = 0
  :: its_phase == UNDOING && is_heard == UNKNOWN && its_stance == FORWARD && in_doubt == 1 -> verdict = PAUSE; in_doubt = 1
  :: its_phase == UNDOING && is_heard == CRASHED && its_stance == OPEN && in_doubt == 0 -> verdict = REPEAT; in_doubt = 0
  :: its_phase == UNDOING && is_heard == CRASHED && its_stance == OPEN && in_doubt == 1 -> verdict = REPEAT; in_doubt = 1
  :: its_phase == UNDOING && is_heard == CRASHED && its_stance == GIVEN_UP && in_doubt == 0 -> verdict = REPEAT; in_doubt = 0
  :: its_phase == UNDOING && is_heard == CRASHED && its_stance == GIVEN_UP && in_doubt == 1 -> verdict = REPEAT; in_doubt = 1
  :: its_phase == UNDOING && is_heard == CRASHED && its_stance == FORWARD && in_doubt == 0 -> verdict = REPEAT; in_doubt = 0
  :: its_phase == UNDOING && is_heard == CRASHED && its_stance == FORWARD && in_doubt == 1 -> verdict = REPEAT; in_doubt = 1
  :: its_phase == RESTING && is_heard == OK && its_stance == OPEN && in_doubt == 0 -> verdict = UNDONE; in_doubt = 0
  :: its_phase == RESTING && is_heard == OK && its_stance == OPEN && in_doubt == 1 -> verdict = UNDONE; in_doubt = 0
  :: its_phase == RESTING && is_heard == OK && its_stance == GIVEN_UP && in_doubt == 0 -> verdict = UNDONE; in_doubt = 0
  :: its_phase == RESTING && is_heard == OK && its_stance == GIVEN_UP && in_doubt == 1 -> verdict = UNDONE; in_doubt = 0
  :: its_phase == RESTING && is_heard == OK && its_stance == FORWARD && in_doubt == 0 -> verdict = UNDONE; in_doubt = 0
  :: its_phase == RESTING && is_heard == OK && its_stance == FORWARD && in_doubt == 1 -> verdict = UNDONE; in_doubt = 0
  :: its_phase == RESTING && is_heard == REFUSED && its_stance == OPEN && in_doubt == 0 -> verdict = PAUSE; in_doubt = 0
  :: its_phase == RESTING && is_heard == REFUSED && its_stance == OPEN && in_doubt == 1 -> verdict = PAUSE; in_doubt = 1
  :: its_phase == RESTING && is_heard == REFUSED && its_stance == GIVEN_UP && in_doubt == 0 -> verdict = PAUSE; in_doubt = 0
  :: its_phase == RESTING && is_heard == REFUSED && its_stance == GIVEN_UP && in_doubt == 1 -> verdict = PAUSE; in_doubt = 1
  :: its_phase == RESTING && is_heard == REFUSED && its_stance == FORWARD && in_doubt == 0 -> verdict = PAUSE; in_doubt = 0
  :: its_phase == RESTING && is_heard == REFUSED && its_stance == FORWARD && in_doubt == 1 -> verdict = PAUSE; in_doubt = 1
  :: its_phase == RESTING && is_heard == DUE && its_stance == OPEN && in_doubt == 0 -> verdict = REPEAT; in_doubt = 0
  :: its_phase == RESTING && is_heard == DUE && its_stance == OPEN && in_doubt == 1 -> verdict = REPEAT; in_doubt = 1
  :: its_phase == RESTING && is_heard == DUE && its_stance == GIVEN_UP && in_doubt == 0 -> verdict = REPEAT; in_doubt = 0
  :: its_phase == RESTING && is_heard == DUE && its_stance == GIVEN_UP && in_doubt == 1 -> verdict = REPEAT; in_doubt = 1
  :: its_phase == RESTING && is_heard == DUE && its_stance == FORWARD && in_doubt == 0 -> verdict = REPEAT; in_doubt = 0
  :: its_phase == RESTING && is_heard == DUE && its_stance == FORWARD && in_doubt == 1 -> verdict = REPEAT; in_doubt = 1
  :: else -> assert(false)
  fi
}
