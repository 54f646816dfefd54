/* The saga protocol: one checkout, two workers, participants behind a network (Promela; explored by Spin).

   What the engine decides is not restated here: `transition` is generated from bandstand.sagas.transitions, the very
   table that the engine looks its verdicts up in. The model adds what is around it: a row that is written in one
   transaction under a fence, workers that act on what they remember of it, and participants that keep keys.

   A checkout reserves stock, captures the payment (the pivot: from there on only forward) and commits the stock. With
   PARALLEL a coupon is held beside the reservation, and the pivot waits for both; with COMMAND that coupon is asked for
   over a bus, and the reply is a signal. With FOREIGN the payment provider keeps keys but no tombstones: whoever turns
   back holds the rest until no request can still arrive, asks, and asks again when whatever arrived must be visible.
   That is safe only while both delays, and the time from a call's intent to its being made, are bounded: by DELAY each.

   Nothing is counted, so nothing is bounded: a worker may crash, freeze or be taken over at any time and as often as
   it likes; a request that got no answer may never arrive, arrive at any later time, or arrive many times; any answer
   may get lost; the wish to turn back (deadline, timeout, somebody's wish) may come at any time.

   With WORKERS=2 a worker that was taken over goes on with what it remembers. With WORKERS=1 its successor takes its
   place, and whatever it was about to send may still be sent; behind a fence that is the same, and far fewer states.
   There the storm may lie down as well (`calm`): from then on the saga must end within so many waves (`patience`).
   `@` names the function of the code that a step stands for.

   Each of these removes one mechanism and must be refuted:
     NOINTENT         the call is made before its intent is durable
     NOKEY            a new key for each attempt
     NOTOMB           a cancellation that finds nothing is not remembered
     NOFENCE          a worker that was taken over may still write
     UNKNOWNISFAILED  an unknown outcome is taken for a refusal
     SWALLOWUNDO      an undo that failed counts as undone
     SKIPDOUBT        the new owner forgets that the call under way may have happened
     FROMPREVIOUS     compensation begins with the step before the one at hand
     SILENTREPEAT     the client repeats a request by itself and does not say so with the refusal of the repetition
     PIVOTBACK        the saga turns back behind the pivot
     EARLYJOIN        (PARALLEL) a refused branch does not wait for the other's call under way before it undoes
     ASKEDONCE        (COMMAND) a refused command is taken to have been heard only once
     NOHOLD           (FOREIGN) the provider is asked at once
     ONEQUERY         (FOREIGN) the provider is asked only once                                                       */
#include "transitions.pml"

#define RESERVE 0
#define CAPTURE 1
#define COMMIT 2
#define COUPON 3
#ifdef PARALLEL
#define UNITS 4
#else
#define UNITS 3
#endif

#ifndef WORKERS
#define WORKERS 2
#endif
#define NOBODY WORKERS
#define NONE 0                          /* no phase; nothing heard */
#define SENDING 7                       /* the intent is durable, the call is to be made */
#define RUNNING 0
#define COMPLETED 1
#define TURNED_BACK 2                   /* compensated or cancelled */

typedef Saga {                          /* @ bandstand.sagas.protocol.State */
  byte phase[UNITS];
  bool doubt[UNITS];
  bool done[UNITS];
  bool ending
};
Saga row; byte status = RUNNING; byte owner = NOBODY;
bool wished = false;                    /* somebody wishes to turn back, or the deadline has passed */
bool calm = false; byte patience = 9;   /* from now on no crash and no fault, and so many waves to the end */

bool seen[UNITS]; bool buried[UNITS]; byte effects[UNITS];      /* participants: the key, its tombstone, what is in force */
#ifdef FOREIGN
#define DELAY 1
byte age = 0;                           /* since the latest intent to capture; stands still at what is beyond any wait */
byte taken_at = 0; byte asked_at = 0;   /* 1 + the age at which the provider took the money, and was first asked for it */
#ifdef NOHOLD
#define HOLD 0
#else
#define HOLD DELAY
#endif
#define IN_TIME(n) (n != CAPTURE || age <= DELAY)
#define KEEPS_TOMBS(n) (n != CAPTURE)
#else
#define IN_TIME(n) true
#define KEEPS_TOMBS(n) true
#endif
bool afloat[UNITS]; bool undo_afloat[UNITS];                    /* requests that may arrive (again) at any time */

inline check() {
  d_step {
    assert(status != COMPLETED || (effects[RESERVE] == 1 && effects[CAPTURE] == 1 && effects[COMMIT] == 1));
    assert(status != TURNED_BACK || (effects[RESERVE] == 0 && effects[CAPTURE] == 0 && effects[COMMIT] == 0));
    assert(status != TURNED_BACK || !afloat[RESERVE] || buried[RESERVE]);
#ifndef FOREIGN
    assert(status != TURNED_BACK || !afloat[CAPTURE] || buried[CAPTURE]);
#endif
#ifdef PARALLEL
    assert(status != COMPLETED || effects[COUPON] == 1);
    assert(status != TURNED_BACK || (effects[COUPON] == 0 && (!afloat[COUPON] || buried[COUPON])));
#endif
  }
}

#ifdef COMMAND
bool said_yes = false; bool said_no = false; bool said_recalled = false;    /* replies that may be heard (again) at any time */
#define IS_ASKED(n) (n == COUPON)
#else
#define IS_ASKED(n) false
#endif

/* ---- participants: each of these is one transaction */

inline create(n, answer) {
  if
  :: buried[n] -> answer = REFUSED
  :: !buried[n] && seen[n] -> answer = OK
  :: !buried[n] && !seen[n] && !(calm && n == COMMIT) -> answer = REFUSED      /* for reasons of its own; not remembered */
  :: !buried[n] && !seen[n] ->
     assert(n != COMMIT || (effects[RESERVE] == 1 && effects[CAPTURE] == 1));  /* nothing leaves unpaid */
     seen[n] = true; effects[n]++; answer = OK;
#ifdef FOREIGN
     if :: n == CAPTURE -> taken_at = age + 1 :: else fi
#endif
  fi;
  check()
}

inline cancel(n) {
  if
#ifdef FOREIGN
  :: n == CAPTURE -> effects[n] = 0                            /* keyed refund of what was found */
#endif
  :: KEEPS_TOMBS(n) && buried[n] -> skip
  :: KEEPS_TOMBS(n) && !buried[n] && seen[n] ->
     assert(n == CAPTURE || effects[CAPTURE] == 0);                            /* nothing is released while it is paid */
     buried[n] = true; effects[n]--
  :: KEEPS_TOMBS(n) && !buried[n] && !seen[n] ->
#ifndef NOTOMB
     buried[n] = true
#else
     skip
#endif
  fi;
  check()
}

#ifdef NOKEY
#define NEW_KEY(n) seen[n] = false
#else
#define NEW_KEY(n) skip
#endif
#ifdef SILENTREPEAT
#define SAY_REPEATED(n) skip
#else
#define SAY_REPEATED(n) mine.doubt[n] = true
#endif

/* @ bandstand.sagas.calls.call_remotely */
inline call(n) {
  NEW_KEY(n);
  if
  :: !IN_TIME(n) -> heard[n] = FAILED                          /* its time is over: it is not made at all */
  :: !calm -> heard[n] = FAILED                                /* surely not sent */
  :: !calm && IN_TIME(n) -> afloat[n] = true; heard[n] = UNKNOWN      /* lost, late, or its answer is lost */
  :: !calm && IN_TIME(n) -> afloat[n] = true; create(n, heard[n]); SAY_REPEATED(n)
  :: IN_TIME(n) -> create(n, heard[n])
  fi
}

inline call_undo(n) {
  if
  :: !calm -> heard[n] = FAILED
  :: !calm -> heard[n] = REFUSED
  :: !calm -> undo_afloat[n] = true; heard[n] = UNKNOWN
#ifdef FOREIGN
  :: n == CAPTURE -> ask_and_refund(heard[n])
  :: n != CAPTURE -> cancel(n); heard[n] = OK
#else
  :: cancel(n); heard[n] = OK
#endif
  fi
}

#ifdef FOREIGN
inline ask_and_refund(answer) {
  if
  :: taken_at != 0 -> effects[CAPTURE] = 0; answer = OK        /* found and refunded */
  :: taken_at == 0 || age + 1 < taken_at + DELAY ->                /* not found, or not visible yet */
#ifdef ONEQUERY
     answer = OK
#else
     if
     :: asked_at == 0 -> asked_at = age + 1; answer = UNKNOWN
     :: else -> answer = OK
     fi
#endif
  fi;
  check()
}
#define HELD(n) (n == CAPTURE && mine.phase[n] == UNDOING && \
                 (age < HOLD || (asked_at != 0 && age + 1 < asked_at + DELAY)))
#else
#define HELD(n) false
#endif

/* ---- the engine around its table */

#define AHEAD(n) (mine.phase[n] == CALLING || mine.phase[n] == PAUSING)
#define AT_REST(n) (mine.phase[n] == NONE)
#ifdef PARALLEL
#define ALL_AT_REST (AT_REST(RESERVE) && AT_REST(CAPTURE) && AT_REST(COMMIT) && AT_REST(COUPON))
#define JOINED (mine.done[RESERVE] && mine.done[COUPON])
#else
#define ALL_AT_REST (AT_REST(RESERVE) && AT_REST(CAPTURE) && AT_REST(COMMIT))
#define JOINED mine.done[RESERVE]
#endif
#ifdef PIVOTBACK
#define BEHIND_PIVOT false
#else
#define BEHIND_PIVOT mine.done[CAPTURE]
#endif
#define STANCE (mine.ending -> GIVEN_UP : (BEHIND_PIVOT -> FORWARD : (wished -> GIVEN_UP : OPEN)))

#ifdef FOREIGN
#define INTEND(n, how) \
  mine.phase[n] = how; heard[n] = SENDING; \
  if :: n == CAPTURE && mine.phase[n] == CALLING -> age = 0 :: else fi
#else
#define INTEND(n, how) \
  mine.phase[n] = how; heard[n] = SENDING; \
  ASK(n)
#endif
#ifdef ASKEDONCE
#define MAY_BE_HEARD false
#else
#define MAY_BE_HEARD true
#endif
#ifdef COMMAND                          /* published in the transaction of its intent; @ bandstand.sagas.asking.ask */
#define ASK(n) \
  if \
  :: IS_ASKED(n) && mine.phase[n] == CALLING -> \
     afloat[n] = true; heard[n] = NONE; mine.phase[n] = PAUSING; mine.doubt[n] = MAY_BE_HEARD \
  :: IS_ASKED(n) && mine.phase[n] == UNDOING -> undo_afloat[n] = true; heard[n] = NONE; mine.phase[n] = RESTING \
  :: else \
  fi
#else
#define ASK(n) skip
#endif

/* @ bandstand.sagas.engine.verdicts.judge */
inline settle(n) {
  what = (heard[n] == NONE -> DUE : heard[n]);
  heard[n] = NONE;
#ifdef UNKNOWNISFAILED
  if :: mine.phase[n] == CALLING && what == UNKNOWN -> what = REFUSED :: else fi;
#endif
#ifdef SWALLOWUNDO
  if :: mine.phase[n] == UNDOING && what != CRASHED -> what = OK :: else fi;
#endif
  transition(mine.phase[n], what, STANCE, mine.doubt[n], verdict);
  assert((verdict != CLEAN && verdict != BURY) || wished || mine.ending || what == REFUSED);   /* not without a reason */
  assert((verdict != CLEAN && verdict != BURY) || mine.ending || !mine.done[CAPTURE]);         /* not behind the pivot */
#ifdef SKIPDOUBT
  if :: what == CRASHED -> mine.doubt[n] = false :: else fi;
#endif
#ifdef FROMPREVIOUS
  if :: verdict == BURY -> verdict = CLEAN :: else fi;
#endif
  if
  :: verdict == REPEAT -> INTEND(n, (AHEAD(n) -> CALLING : UNDOING))
  :: verdict == PAUSE -> mine.phase[n] = (AHEAD(n) -> PAUSING : RESTING)
  :: else ->
     mine.phase[n] = NONE; mine.doubt[n] = false;
     mine.done[n] = (verdict == DONE || verdict == BURY);
     mine.ending = (mine.ending || verdict == CLEAN || verdict == BURY)
  fi;
  what = 0; verdict = 0
}

#ifdef EARLYJOIN
#define LET_GO(n) if :: AHEAD(n) -> mine.phase[n] = NONE; mine.doubt[n] = false; heard[n] = NONE :: else fi
#else
#define LET_GO(n) skip
#endif

/* What follows, within the same transaction. @ bandstand.sagas.engine.events.step */
inline go_on() {
  if
  :: !mine.ending && STANCE == GIVEN_UP && ALL_AT_REST -> mine.ending = true
  :: else
  fi;
  if
  :: mine.ending ->
     LET_GO(RESERVE);
#ifdef PARALLEL
     LET_GO(COUPON);
#endif
     if
     :: !ALL_AT_REST -> skip                                   /* calls under way are settled by their answers */
     :: ALL_AT_REST && mine.done[CAPTURE] -> INTEND(CAPTURE, UNDOING)
     :: ALL_AT_REST && !mine.done[CAPTURE] && mine.done[RESERVE] -> INTEND(RESERVE, UNDOING)
#ifdef PARALLEL
     :: ALL_AT_REST && !mine.done[CAPTURE] && mine.done[COUPON] -> INTEND(COUPON, UNDOING)
     :: ALL_AT_REST && !mine.done[CAPTURE] && !mine.done[RESERVE] && !mine.done[COUPON] -> status = TURNED_BACK
#else
     :: ALL_AT_REST && !mine.done[CAPTURE] && !mine.done[RESERVE] -> status = TURNED_BACK
#endif
     fi
  :: !mine.ending && ALL_AT_REST ->
     if
     :: mine.done[COMMIT] -> status = COMPLETED
     :: !mine.done[COMMIT] && mine.done[CAPTURE] -> INTEND(COMMIT, CALLING)
     :: !mine.done[CAPTURE] && JOINED -> INTEND(CAPTURE, CALLING)
     :: !JOINED ->
        INTEND(RESERVE, CALLING);
#ifdef PARALLEL
        INTEND(COUPON, CALLING)
#endif
     fi
  :: !mine.ending && !ALL_AT_REST -> skip
  fi
}

inline copy(to, from) {
  d_step {
    k = 0;
    do
    :: k < UNITS -> to.phase[k] = from.phase[k]; to.doubt[k] = from.doubt[k]; to.done[k] = from.done[k]; k++
    :: else -> break
    od;
    k = 0; to.ending = from.ending
  }
}

inline forget() {
  d_step {
    k = 0;
    do
    :: k < UNITS -> mine.phase[k] = NONE; mine.doubt[k] = false; mine.done[k] = false; heard[k] = NONE; k++
    :: else -> break
    od;
    k = 0; mine.ending = false; awake = false
  }
}

#ifdef NOFENCE
#define FENCED false
#else
#define FENCED (owner != _pid)
#endif

/* One transaction: what was heard, what follows, the intents. @ bandstand.sagas.wave.persist */
inline wave() {
  if
  :: FENCED -> forget()
  :: else ->
     assert(patience > 0); patience = (calm -> patience - 1 : patience);
     if :: n < UNITS -> settle(n) :: else fi;
#ifdef NOINTENT
     copy(row, mine);
     go_on();
#else
     go_on();
     copy(row, mine);
#endif
     if
     :: status != RUNNING -> owner = NOBODY; forget(); check()
     :: else
     fi
  fi
}

#define CAN_CALL(n) (heard[n] == SENDING && !HELD(n))
#define IS_DUE(n) ((mine.phase[n] == PAUSING || mine.phase[n] == RESTING) && \
                   !(calm && IS_ASKED(n) && (mine.phase[n] == RESTING || STANCE != GIVEN_UP)))
#define CAN_SETTLE(n) (heard[n] != SENDING && (heard[n] != NONE || IS_DUE(n)))
#ifdef PARALLEL
#define ONE_OF(can) :: can(RESERVE) -> n = RESERVE :: can(CAPTURE) -> n = CAPTURE :: can(COMMIT) -> n = COMMIT :: can(COUPON) -> n = COUPON
#else
#define ONE_OF(can) :: can(RESERVE) -> n = RESERVE :: can(CAPTURE) -> n = CAPTURE :: can(COMMIT) -> n = COMMIT
#endif

#if WORKERS == 1                        /* its former self may have been frozen, and make the call it was about to make */
#define STILL_SENT(n) \
  if \
  :: heard[n] == SENDING && mine.phase[n] == CALLING -> afloat[n] = true \
  :: heard[n] == SENDING && mine.phase[n] == UNDOING -> undo_afloat[n] = true \
  :: else \
  fi
#else
#define STILL_SENT(n) skip
#endif

active [WORKERS] proctype worker() {
  Saga mine; byte heard[UNITS]; bool awake = false;
  byte n = 0; byte k = 0; byte what = 0; byte verdict = 0;
  do
  :: atomic { status == RUNNING && (!calm || owner == NOBODY) ->             /* @ bandstand.sagas.leases.claim */
       STILL_SENT(RESERVE); STILL_SENT(CAPTURE); STILL_SENT(COMMIT);
#ifdef PARALLEL
       STILL_SENT(COUPON);
#endif
       owner = _pid; forget(); copy(mine, row); awake = true;
       do
       :: n < UNITS -> heard[n] = (mine.phase[n] == CALLING || mine.phase[n] == UNDOING -> CRASHED : NONE); n++
       :: else -> break
       od;
       n = 0 }
  :: atomic { if ONE_OF(CAN_SETTLE) :: awake && ALL_AT_REST -> n = UNITS fi; wave(); n = 0 }
#ifdef COMMAND                          /* @ bandstand.sagas.taking.take */
  :: atomic { said_yes && AHEAD(COUPON) -> heard[COUPON] = OK }
  :: atomic { said_no && AHEAD(COUPON) -> heard[COUPON] = REFUSED }
  :: atomic { !calm && undo_afloat[COUPON] && mine.phase[COUPON] == RESTING -> heard[COUPON] = REFUSED }
  :: atomic { said_recalled && mine.phase[COUPON] == RESTING -> heard[COUPON] = OK }
#endif
  :: atomic { if ONE_OF(CAN_CALL) fi;
       if
       :: mine.phase[n] == CALLING -> call(n)
       :: else -> call_undo(n)
       fi;
       n = 0 }
#ifdef FOREIGN
  :: atomic { calm && heard[CAPTURE] == SENDING && HELD(CAPTURE) -> age++ }
#endif
  :: atomic { status != RUNNING && !awake -> break }
  od
}

#define ARRIVES(n) (afloat[n] && IN_TIME(n) && !seen[n] && !buried[n])
#define UNDO_ARRIVES(n) (undo_afloat[n] && !buried[n] && (KEEPS_TOMBS(n) || effects[n] > 0))

#ifdef COMMAND
#define REPLY(n, answer) \
  if \
  :: n == COUPON && answer == OK -> said_yes = true \
  :: n == COUPON && answer == REFUSED -> said_no = true \
  :: else \
  fi
#define REPLY_RECALLED(n) if :: n == COUPON -> said_recalled = true :: else fi
#else
#define REPLY(n, answer) skip
#define REPLY_RECALLED(n) skip
#endif

active proctype network() {
  byte n = 0; byte answer = 0;
end:
  do
  :: atomic { if ONE_OF(ARRIVES) fi; create(n, answer); REPLY(n, answer); n = 0; answer = 0 }
  :: atomic { if ONE_OF(UNDO_ARRIVES) fi; cancel(n); REPLY_RECALLED(n); n = 0 }
  :: atomic { !wished && status == RUNNING -> wished = true }
#ifdef FOREIGN
  :: atomic { !calm && age <= 2 * DELAY && status == RUNNING -> age++ }
#endif
#if WORKERS == 1
  :: atomic { !calm -> calm = true }
#endif
  od
}
