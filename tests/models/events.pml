/* Outbox, relay, bus, inbox and retries of one publisher and one consumer (Promela; explored by Spin).

   Two events of one subject (1 before 2) and one of another (0), whose transaction took the lowest id and may commit
   last. One or two relays; every process may die between any two steps (CRASHES in total); the bus may lose what it did not confirm
   and keep what it could not confirm (FAULTS in total); the handler may fail (FAILURES in total); one event may be
   refused by the bus (REFUSALS). `@` names the function of the code that a step stands for.

   Each of these removes one mechanism and must be refuted:
     DUALWRITE   the event is written outside the transaction of the fact
     MARKFIRST   the relay marks before it publishes
     NOCONFIRM   the relay marks without the bus's word
     POSITION    the relay reads only ids above the last it moved
     NOHOLD      after a refusal the relay lets the subject's later events pass
     ACKFIRST    the bus is acknowledged before the commit
     NOINBOX     nothing remembers what was applied
     SPLITTX     inbox row and effect are two transactions
     NOWAIT      later events of a failed event's subject are not held in the inbox database
     EARLYPURGE  inbox rows are purged while the bus may still deliver again                                        */
#ifndef CRASHES
#define CRASHES 2
#endif
#ifndef FAULTS
#define FAULTS 1
#endif
#ifndef FAILURES
#define FAILURES 2
#endif
#ifndef REFUSALS
#define REFUSALS 1
#endif
#ifndef RELAYS
#define RELAYS 2
#endif
#define N 3
#define ROOM 3
#define ATTEMPTS 2
#define BEHIND(e) (e == 2)             /* has an earlier event of its subject, which is event 1 */
#define ANY(x) (x[0] || x[1] || x[2])

bool fact[N];                          /* the business row is committed */
bool outbox[N];                        /* a live outbox row */
bool resting = false; byte turned = 0; /* event 1 was refused by the bus: not due yet; how often */
bool outdead[N];                       /* refused by the bus and given up */
byte log[ROOM]; byte length = 0;       /* the bus as its group sees it: what it has not acknowledged, in order */
bool inbox[N]; bool waiting[N]; byte tried[N]; bool deadletter[N];
byte applied[N];
byte crashes = CRASHES; byte faults = FAULTS; byte failures = FAILURES; byte refusals = REFUSALS;
bool published = false; byte relays = RELAYS; byte rollbacks = 1; bool done = false;

inline effect(e) {
  assert(fact[e]);                                                                    /* no phantom */
  assert(!BEHIND(e) || applied[1] || deadletter[1] || outdead[1] || !fact[1]);        /* the order of a subject */
  applied[e]++;
  assert(applied[e] == 1)                                                             /* once */
}

/* @ bandstand.events.publishing.publish */
inline publish(e) {
#ifdef DUALWRITE
  outbox[e] = true;
  if :: fact[e] = true :: true fi
#else
  atomic { if :: fact[e] = true; outbox[e] = true :: rollbacks > 0 -> rollbacks-- fi }
#endif
}

proctype aggregate() { publish(1); publish(2) }    /* the row lock of a subject orders its commits */
proctype late()      { publish(0) }

#ifdef POSITION
#define PASSED(e) (top > e)
#else
#define PASSED(e) false
#endif
#ifdef NOHOLD
#define HELD(e) false
#else
#define HELD(e) (BEHIND(e) && outbox[1] && resting)
#endif

proctype relay() {
  byte e = 0; byte top = 0; bool ok = false; bool held = false;
  do
  :: atomic { published && !ANY(outbox) -> break }
#ifdef POSITION
  :: atomic { published && (!outbox[0] || PASSED(0)) && (!outbox[1] || PASSED(1)) && (!outbox[2] || PASSED(2)) -> break }
#endif
  :: resting -> resting = false                                /* its time has come */
  :: d_step {                                                  /* @ bandstand.events.relay.outbox.Outbox.pending */
       (outbox[0] && !PASSED(0)) || (outbox[1] && !PASSED(1) && !resting) || (outbox[2] && !PASSED(2) && !HELD(2)) ->
       e = 0;
       do :: e < N && (!outbox[e] || PASSED(e) || HELD(e) || (e == 1 && resting)) -> e++ :: else -> break od;
       ok = false; held = false
     };
#ifdef MARKFIRST
     outbox[e] = false;
#endif
     atomic {                                                  /* @ bandstand.events.backends.base.Bus.publish */
       length < ROOM;
       if
       :: log[length] = e; length++; ok = true
       :: faults > 0 -> faults--; log[length] = e; length++    /* taken, but the confirm got lost */
       :: faults > 0 -> faults--                               /* lost before it was durable */
       :: refusals > 0 && e == 1 -> refusals--; held = true
       fi;
#ifdef NOCONFIRM
       ok = !held;
#endif
       if :: crashes > 0 -> crashes--; ok = false; held = false; top = 0 :: true fi
     };
     d_step {
       if
       :: held && outbox[e] && turned + 1 < ATTEMPTS -> turned++; resting = true    /* @ bandstand.events.relay.outbox.Outbox.refuse */
       :: held && outbox[e] && turned + 1 >= ATTEMPTS -> outbox[e] = false; outdead[e] = true
       :: ok && !held -> outbox[e] = false; top = e + 1                 /* @ bandstand.events.relay.Relay.mark */
       :: else -> skip
       fi;
       e = 0; ok = false; held = false
     }
  od;
  relays--
}

/* @ bandstand.events.backends.base.Subscription.flush */
inline flush() {
  d_step {
    length = length - at; k = 0;
    do :: k < ROOM -> log[k] = (k < length -> log[k + at] : 0); k++ :: else -> break od;
    at = 0; k = 0
  }
}

proctype consumer() {
  byte at = 0; byte e = 0; byte k = 0; bool failed = false;
again:
  do
  :: atomic { at < length -> e = log[at] };                    /* @ bandstand.events.backends.base.Subscription.fetch */
#ifdef ACKFIRST
     at++; flush();
     if :: atomic { crashes > 0 -> crashes--; at = 0; goto again } :: true fi;
#endif
#ifdef SPLITTX
     if
     :: inbox[e] -> skip
     :: else ->
        inbox[e] = true;
        if :: atomic { crashes > 0 -> crashes--; at = 0; goto again } :: true fi;
        atomic { effect(e) }
     fi;
#else
     atomic {                                                  /* @ bandstand.events.inbox.Inbox._apply_together */
       if
#ifndef NOINBOX
       :: inbox[e] -> skip
#endif
#ifndef NOWAIT
       :: !inbox[e] && BEHIND(e) && waiting[1] ->
          inbox[e] = true; waiting[e] = true                   /* @ bandstand.events.waiting.put_behind */
#endif
       :: else ->
          if
          :: failures > 0 -> failures--; failed = true         /* rolled back */
          :: inbox[e] = true; effect(e)
          fi
       fi
     };
     atomic {
       if
       :: failed && crashes > 0 -> crashes--; failed = false; at = 0; goto again
       :: failed && inbox[e] -> skip
       :: failed && !inbox[e] ->                               /* @ bandstand.events.waiting.put_failed */
          inbox[e] = true; waiting[e] = true; tried[e] = 1
       :: else -> skip
       fi;
       failed = false
     };
#endif
     atomic {
       if
       :: crashes > 0 -> crashes--; at = 0; goto again
       :: true
       fi;
#ifndef ACKFIRST
       at++
#endif
     };
#ifdef EARLYPURGE
     if :: inbox[e] = false :: true fi;
#endif
     skip
  :: atomic { ANY(waiting) ->                                  /* @ bandstand.events.waiting.Retries._attempt */
       e = 0;
       do :: e < N && (!waiting[e] || (BEHIND(e) && waiting[1])) -> e++ :: else -> break od;
       if
       :: failures > 0 ->
          failures--; tried[e]++;
          if
          :: tried[e] >= ATTEMPTS -> waiting[e] = false; deadletter[e] = true    /* @ bandstand.events.waiting.bury */
          :: else -> skip
          fi
       :: waiting[e] = false; effect(e)
       fi }
  :: atomic { at > 0 -> flush() }
  :: atomic { published && relays == 0 && length == 0 && !ANY(waiting) -> break }
  od;
  done = true
}

init {
  atomic {
    run relay();
    if :: RELAYS > 1 -> run relay() :: else fi;
    run consumer(); run aggregate(); run late()
  };
  (_nr_pr == 2 + RELAYS);                                      /* both publishers have ended */
  published = true;
  done;
  byte e = 0;
  do
  :: e < N ->
     assert(!fact[e] || applied[e] == 1 || deadletter[e] || outdead[e]);     /* nothing is lost */
     assert(fact[e] || applied[e] == 0);
     assert(!deadletter[e] || applied[e] == 0);
     e++
  :: else -> break
  od
}
