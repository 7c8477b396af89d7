"""The states of a job and every move between them, in one table.

                     ┌────────────── lease ran out ──────────────┐
                     ▼                                           │
    ● ─ accept ─▶ queued ─── claim ──▶ running ── commit ──▶ succeeded ─┐
                   ▲  │                │ │ │ │                          │
                   │  │    ┌───────────┘ │ │ └── give up ──▶ failed ────┤
              time │  │    ▼             │ ├── malware ────▶ infected ──┤
              came │  │  retry_wait      │ └── 3 crashes ──▶ quarantined┤
                   └──┼────┘  │          │ cancel                       │ erase
                      │       │          ▼                              ▼
                      │       │      cancelling ──────┐               erased
                      │       │                       ▼                 ▲
                      ├───────┴──── cancel ──────▶ cancelled ───────────┤
                      └──────────── deadline ────▶ overdue ─────────────┘

The row in the database is the truth; a message in a queue is only a hint to look. A move is applied by one statement
that names the state it leaves (`repository`), so of two that race exactly one wins. Of the ended states only two
ways lead out: an erase, and the order of the caller to try again. No worker and no loop of ours makes either out of
its own judgement about the work.

`docs/job-states.md` and the tests of the laws are made from `MOVES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class JobState(StrEnum):
    """What is stored. Callers see the coarser `PublicStatus`."""

    QUEUED = "queued"
    RUNNING = "running"
    RETRY_WAIT = "retry_wait"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INFECTED = "infected"
    QUARANTINED = "quarantined"
    OVERDUE = "overdue"
    CANCELLED = "cancelled"
    ERASED = "erased"


class PublicStatus(StrEnum):
    """What the API calls it."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Stage(StrEnum):
    """Where a running attempt is. Only a death while `converting` is blamed on the file."""

    FETCHING = "fetching"
    SCANNING = "scanning"
    CONVERTING = "converting"
    CHECKING = "checking"
    STORING = "storing"


class Actor(StrEnum):
    """Who makes a move."""

    CALLER = "caller"
    WORKER = "worker"
    RESCUER = "rescuer"
    PRUNER = "pruner"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Move:
    """One allowed change. `source` is None for the birth of a job."""

    source: JobState | None
    target: JobState
    actors: frozenset[Actor]
    why: str


_S = JobState


def _move(source: JobState | None, target: JobState, actors: str, why: str) -> Move:
    return Move(source, target, frozenset(Actor(name) for name in actors.split()), why)


MOVES: tuple[Move, ...] = (
    _move(None, _S.QUEUED, "caller", "Accepted: the job, its inputs and its outbox row are one commit."),
    _move(None, _S.SUCCEEDED, "caller", "Answered at once with what an earlier job of its owner had made."),
    _move(_S.QUEUED, _S.RUNNING, "worker", "Claimed: a new attempt number, a new token, a lease."),
    _move(_S.QUEUED, _S.CANCELLED, "caller", "Cancelled before any work."),
    _move(_S.QUEUED, _S.OVERDUE, "rescuer", "Its deadline passed while it waited."),
    _move(_S.RUNNING, _S.SUCCEEDED, "worker", "Committed: outputs, usage and event are one transaction with the move."),
    _move(_S.RUNNING, _S.FAILED, "worker", "The input, a limit or our own defect: trying again would end the same."),
    _move(_S.RUNNING, _S.INFECTED, "worker", "The scanner named malware."),
    _move(
        _S.RUNNING, _S.RETRY_WAIT, "worker", "A crash or an outage: the attempt ends, the job waits and tries again."
    ),
    _move(_S.RUNNING, _S.QUARANTINED, "worker rescuer", "The third crash: this input is kept from the engines."),
    _move(_S.RUNNING, _S.QUEUED, "worker rescuer", "Its worker is gone or stops: the token is void, the job is free."),
    _move(_S.RUNNING, _S.CANCELLING, "caller", "Cancelled while it runs; the worker is told."),
    _move(_S.RUNNING, _S.OVERDUE, "rescuer", "Its deadline passed; the token is void."),
    _move(_S.RETRY_WAIT, _S.QUEUED, "rescuer", "The waiting time is over."),
    _move(_S.RETRY_WAIT, _S.CANCELLED, "caller", "Cancelled between two attempts."),
    _move(_S.RETRY_WAIT, _S.OVERDUE, "rescuer", "Its deadline passed between two attempts."),
    _move(_S.CANCELLING, _S.CANCELLED, "worker rescuer", "The work has stopped, or its lease ran out."),
    _move(_S.FAILED, _S.QUEUED, "caller", "Ordered again by its caller."),
    _move(_S.OVERDUE, _S.QUEUED, "caller", "Ordered again by its caller."),
    _move(_S.CANCELLED, _S.QUEUED, "caller", "Ordered again by its caller."),
    _move(_S.QUARANTINED, _S.QUEUED, "operator", "Released: an operator lets its input near the engines again."),
    *(
        _move(state, _S.ERASED, "caller", "Deleted while alive: the token is void, so nothing can be committed.")
        for state in (_S.QUEUED, _S.RUNNING, _S.RETRY_WAIT, _S.CANCELLING)
    ),
    *(
        _move(state, _S.ERASED, "caller pruner", "Deleted, or its files are past their retention.")
        for state in (_S.SUCCEEDED, _S.FAILED, _S.INFECTED, _S.QUARANTINED, _S.OVERDUE, _S.CANCELLED)
    ),
)
"""Every move there is."""

PUBLIC_STATUS: Mapping[JobState, PublicStatus] = {
    _S.QUEUED: PublicStatus.QUEUED,
    _S.RETRY_WAIT: PublicStatus.QUEUED,
    _S.RUNNING: PublicStatus.RUNNING,
    _S.CANCELLING: PublicStatus.RUNNING,
    _S.SUCCEEDED: PublicStatus.SUCCEEDED,
    _S.FAILED: PublicStatus.FAILED,
    _S.INFECTED: PublicStatus.FAILED,
    _S.QUARANTINED: PublicStatus.FAILED,
    _S.OVERDUE: PublicStatus.FAILED,
    _S.CANCELLED: PublicStatus.CANCELLED,
    _S.ERASED: PublicStatus.EXPIRED,
}
"""What a caller sees of each stored state; the `error` of a failed job says which kind it is."""

TERMINAL: frozenset[JobState] = frozenset(
    {_S.SUCCEEDED, _S.FAILED, _S.INFECTED, _S.QUARANTINED, _S.OVERDUE, _S.CANCELLED, _S.ERASED}
)
LIVE: frozenset[JobState] = frozenset(JobState) - TERMINAL
"""States in which work is still owed."""
LEASED: frozenset[JobState] = frozenset({_S.RUNNING, _S.CANCELLING})
"""States in which a worker holds a lease."""


HELD = frozenset({_S.QUARANTINED, _S.INFECTED})
"""What operators look after."""


def is_terminal(state: JobState) -> bool:
    """Whether no work is owed any more."""
    return state in TERMINAL


def sources_of(target: JobState, actor: Actor) -> frozenset[JobState]:
    """The states that this actor may move to `target`; what a guard in a statement names."""
    return frozenset(move.source for move in MOVES if move.target is target and actor in move.actors and move.source)


def stored_states(status: PublicStatus) -> frozenset[JobState]:
    """The stored states that a caller sees as `status`."""
    return frozenset(state for state, public in PUBLIC_STATUS.items() if public is status)
