/* One job among two workers, a rescuer, a dispatcher and its caller, over a channel that loses and doubles hints.
 *
 * Each atomic block is one statement on the database, or one transaction. Between two of them anything may happen: a
 * worker dies, or is so slow that its lease runs out while it still believes in it, or does not hear that its commit
 * happened; an engine dies, the store is away, the worker is told to end, a hint is lost or doubled. FAULTS of these
 * happen, any of them at any moment, so that "in the end it is over" can be asked for.
 *
 * `move` is the only way to change the state. Its uses are compared with the table in states.py.
 *
 * Defects that the properties must find, each a flag of spin: NO_FENCE, STATE_ONLY, NO_REHINT, BLIND_DROP, NO_RESCUE,
 * CANCEL_FORGOTTEN, CHARGE_FIRST.
 */

#ifndef FAULTS
#define FAULTS 2
#endif
#ifndef AGAIN
#define AGAIN 1
#endif
#define MAX_CRASHES 2            /* the third crash of the product is the second here: the same choice, fewer states */
#define ATTEMPTS 8               /* more than there can be: one, one for each fault, one for each order again */

mtype = { none, queued, running, retry_wait, cancelling,
          succeeded, failed, infected, quarantined, overdue, cancelled, erased };

mtype state = none;
byte attempt;                    /* the number of the newest attempt */
byte token;                      /* whose the job is; 0 is nobody's */
bool attended;                   /* a worker lives that works under the token, and renews its lease */
bool converting;                 /* the stage in which a death is blamed on the file */
byte crash_count;
bool stored[ATTEMPTS];           /* the objects of this attempt are in the store */
byte winner;                     /* the attempt whose own row says that it succeeded */
byte charges, wins, ends, agains, faults;
bool asked_to_cancel, asked_to_erase, deadline_passed;
bool promised;                   /* the caller was told that it will be stopped */

chan hints = [1] of { bit };

#define move(source, target, actor) (state == source) -> state = target
#define over (state == succeeded || state == failed || state == infected || state == quarantined || \
              state == overdue || state == cancelled || state == erased)

#ifdef NO_FENCE
#define mine_still (state == running || state == cancelling)
#define commits (state == running || state == queued || state == retry_wait)
#else
#ifdef STATE_ONLY
#define mine_still (state == running || state == cancelling)
#define commits (state == running)
#else
#define mine_still (token == mine && (state == running || state == cancelling))
#define commits (token == mine && state == running)
#endif
#endif

inline freed() { token = 0; attended = false; converting = false }
inline ended() { ends++; freed() }

inline again_then() { agains++; crash_count = 0; deadline_passed = false; promised = false }

/* A worker may die wherever this stands; what it held stays as it is, and another takes its place. */
inline mortal() {
    if
    :: true
    :: atomic {
        faults < FAULTS -> faults++;
        if
        :: token == mine -> attended = false
        :: else
        fi;
        mine = 0;
        goto idle
       }
    fi
}

active [2] proctype Worker()
{
    byte mine = 0;

end_idle:
idle:
#ifdef POLL
    state == queued;
#else
    hints?_;
#endif
    atomic {
        if
        :: move(queued, running, worker);
           attempt++; token = attempt; mine = attempt; attended = true; converting = false
        :: else -> goto idle
        fi
    }
    mortal();                                                       /* claimed, nothing done */
    atomic {
        if
        :: mine_still -> converting = true
        :: else -> goto gone
        fi
    }
    mortal();                                                       /* in the middle of the conversion */
    if
    :: true                                                         /* the engine did it */
    :: goto bad_file
    :: atomic { faults < FAULTS -> faults++ }; goto engine_died
    :: atomic { faults < FAULTS -> faults++ }; goto outage
    :: atomic { faults < FAULTS -> faults++ }; goto give_back
    fi;
    atomic {
        if
        :: mine_still -> converting = false
        :: else -> goto gone
        fi
    }
    stored[mine] = true;
    mortal();                                                       /* stored, and nobody knows */
#ifdef CHARGE_FIRST
    charges++;
    mortal();
#endif
commit:
    atomic {
        if
        :: commits ->
            if
            :: move(running, succeeded, worker)
#ifdef NO_FENCE
            :: state == queued -> state = succeeded
            :: state == retry_wait -> state = succeeded
#endif
            fi;
            wins++; winner = mine;
#ifndef CHARGE_FIRST
            charges++;
#endif
            ended()
        :: else -> goto cancel_or_gone
        fi
    }
    if
    :: goto done
    :: atomic { faults < FAULTS -> faults++ }; goto commit       /* it happened, and the answer was lost */
    fi;

bad_file:
    atomic {
        if
        :: token == mine && move(running, failed, worker); ended()
        :: token == mine && move(running, infected, worker); ended()
        :: else -> goto cancel_or_gone
        fi
    }
    goto done;
engine_died:
    atomic {
        if
        :: token == mine && crash_count + 1 >= MAX_CRASHES && move(running, quarantined, worker); crash_count++; ended()
        :: token == mine && crash_count + 1 < MAX_CRASHES && move(running, retry_wait, worker); crash_count++; freed()
        :: else -> goto cancel_or_gone
        fi
    }
    goto done;
outage:
    atomic {
        if
        :: token == mine && move(running, retry_wait, worker); freed()
        :: else -> goto cancel_or_gone
        fi
    }
    goto done;
give_back:
    atomic {
        if
        :: token == mine && move(running, queued, worker); freed()
        :: else -> goto cancel_or_gone
        fi
    }
    goto done;

cancel_or_gone:
    atomic {
        if
        :: token == mine && move(cancelling, cancelled, worker); ended()
        :: else -> goto gone
        fi
    }
    goto done;
gone:                                                               /* the job is another's: drop what is ours */
    atomic {
#ifdef BLIND_DROP
        stored[mine] = false
#else
        if
        :: winner == mine -> skip
        :: else -> stored[mine] = false
        fi
#endif
    }
done:
    mine = 0;
    goto idle
}

active proctype Rescuer()
{
end_look:
    do
#ifndef NO_RESCUE
    /* A lease runs out when nobody renews it; now and then also under a worker that is only slow. */
    :: atomic {
        (state == running || state == cancelling) && (!attended || faults < FAULTS) ->
            if
            :: attended -> faults++
            :: else
            fi;
            if
            :: converting && crash_count + 1 >= MAX_CRASHES && move(running, quarantined, rescuer);
               crash_count++; ended()
            :: converting && crash_count + 1 < MAX_CRASHES && move(running, queued, rescuer); crash_count++; freed()
            :: !converting && move(running, queued, rescuer); freed()
#ifndef CANCEL_FORGOTTEN
            :: move(cancelling, cancelled, rescuer); ended()
#else
            :: state == cancelling -> state = queued; freed()
#endif
            fi
       }
#endif
    :: atomic { move(retry_wait, queued, rescuer) }
    :: atomic { deadline_passed && move(queued, overdue, rescuer); ended() }
    :: atomic { deadline_passed && move(running, overdue, rescuer); ended() }
    :: atomic { deadline_passed && move(retry_wait, overdue, rescuer); ended() }
    od
}

#ifndef POLL
active proctype Dispatcher()
{
#ifdef NO_REHINT
    state == queued;
    hints!1;
end_sent: false
#else
end_look:
    do
    :: atomic { state == queued && nfull(hints) -> hints!1 }
    od
#endif
}

active proctype Network()
{
end_look:
    do
    :: atomic { faults < FAULTS && nempty(hints) -> hints?_; faults++ }
    :: atomic { faults < FAULTS && nfull(hints) -> hints!1; faults++ }          /* a second time, at any time */
    od
}
#endif

active proctype Caller()
{
    atomic { move(none, queued, caller) }
end_anything:
    do
    :: atomic { !asked_to_cancel ->
            asked_to_cancel = true;
            if
            :: move(queued, cancelled, caller); ended()
            :: move(retry_wait, cancelled, caller); ended()
            :: move(running, cancelling, caller); promised = true
            :: else
            fi
       }
    :: atomic { !asked_to_erase ->
            asked_to_erase = true;
            if
            :: move(queued, erased, caller); freed()
            :: move(running, erased, caller); freed()
            :: move(retry_wait, erased, caller); freed()
            :: move(cancelling, erased, caller); freed()
            :: move(succeeded, erased, caller)
            :: move(failed, erased, caller)
            :: move(infected, erased, caller)
            :: move(quarantined, erased, caller)
            :: move(overdue, erased, caller)
            :: move(cancelled, erased, caller)
            fi
       }
    :: atomic { agains < AGAIN && move(failed, queued, caller); again_then() }
    :: atomic { agains < AGAIN && move(cancelled, queued, caller); again_then() }
    :: atomic { agains < AGAIN && move(overdue, queued, caller); again_then() }
    :: atomic { agains < AGAIN && move(quarantined, queued, operator); again_then() }       /* who is none of the others */
    :: atomic { !over && !deadline_passed -> deadline_passed = true }
    :: true -> break                                                 /* or nothing more, ever */
    od;
end_content: false
}

/* G1, when nothing can happen any more: then it is over. */
active proctype Watch()
{
    timeout -> assert(over)
}

/* I2: it ends once, and once more for each time that its caller ordered it again. What is being cancelled does not
 * succeed. I3: one result, one charge, and they are the newest attempt's. I5: the result of a job that succeeded is in
 * the store. I6: what has succeeded stays so, or is erased. I9: nobody holds what is over. */
ltl safe { [] (ends <= 1 + agains && wins <= 1 && charges == wins && (state != succeeded || stored[winner]) &&
               (wins == 0 || winner == attempt) && !(promised && state == succeeded) &&
               (wins == 0 || state == succeeded || state == erased) && (!over || token == 0)) }
/* G1, when something happens for ever: then it is over, too. */
ltl comes_to_an_end { <> [] over }
