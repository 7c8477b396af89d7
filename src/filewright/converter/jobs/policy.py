"""What becomes of a job when an attempt ends with an error. Pure: the same error and counters, the same decision.

    the file, a limit, a missing engine, a defect of ours   GiveUp(failed)
    malware                                                 GiveUp(infected)
    an engine died                                          RetryAt, and at the third time GiveUp(quarantined)
    storage, database, disk, sandbox, virus scanner         RetryAt, and at the eighth time GiveUp(failed)

A crash is blamed on the file; an outage never is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from filewright.chassis.db.errors import DatabaseUnavailable
from filewright.chassis.errors import InternalError, ProblemError
from filewright.chassis.sandbox.port import SandboxUnavailable
from filewright.chassis.storage.port import ObjectDamaged, ObjectMissing, StoreUnavailable
from filewright.chassis.web.problems import StorageUnavailable
from filewright.converter.errors import ConversionError, EngineCrashed, Expired, Infected, Quarantined, ScanUnavailable
from filewright.converter.jobs.states import JobState

MAX_CRASHES = 3
MAX_TRANSIENT = 8
FIRST_SECONDS = 1.0
LONGEST_SECONDS = 300.0
_OUTAGES = (StoreUnavailable, ObjectDamaged, DatabaseUnavailable, SandboxUnavailable, OSError)
_OUTAGE = "Our storage or machine failed while the file was converted; order it again later"


@dataclass(frozen=True)
class Counters:
    """How often the job's attempts have crashed, and met an outage, before this error."""

    crashes: int = 0
    transients: int = 0


@dataclass(frozen=True)
class RetryAt:
    """Wait that long, then try again."""

    delay: timedelta
    counters: Counters
    """The new counts."""
    error: ProblemError


@dataclass(frozen=True)
class GiveUp:
    """End the job in that state, with the error its caller sees."""

    state: JobState
    counters: Counters
    error: ProblemError


def after(error: BaseException, counters: Counters, *, jitter: float) -> RetryAt | GiveUp:
    """The decision. `jitter` in 0..1 places the retry anywhere in its window, so that many do not return at once."""
    if isinstance(error, EngineCrashed):
        return _after_crash(error, counters, jitter)
    if isinstance(error, Infected):
        return GiveUp(JobState.INFECTED, counters, error)
    if isinstance(error, ScanUnavailable):
        return _after_outage(counters, jitter, error)
    if isinstance(error, ConversionError):
        return GiveUp(JobState.FAILED, counters, error)
    if isinstance(error, ObjectMissing):
        return GiveUp(JobState.FAILED, counters, Expired("The input was deleted before the job could read it"))
    if is_transient(error):
        return _after_outage(counters, jitter, StorageUnavailable(_OUTAGE))
    return GiveUp(JobState.FAILED, counters, InternalError())


def is_transient(error: BaseException) -> bool:
    """Whether this is the fault of the machine or a dependency, which time may mend."""
    return isinstance(error, _OUTAGES)


def window(times: int) -> timedelta:
    """How long the job waits at most after the n-th error of a kind, counted from 1."""
    return timedelta(seconds=min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** (times - 1)))


def _after_crash(error: EngineCrashed, counters: Counters, jitter: float) -> RetryAt | GiveUp:
    counted = Counters(counters.crashes + 1, counters.transients)
    if counted.crashes >= MAX_CRASHES:
        return GiveUp(JobState.QUARANTINED, counted, Quarantined())
    return RetryAt(window(counted.crashes) * jitter, counted, error)


def _after_outage(counters: Counters, jitter: float, error: ProblemError) -> RetryAt | GiveUp:
    counted = Counters(counters.crashes, counters.transients + 1)
    if counted.transients >= MAX_TRANSIENT:
        return GiveUp(JobState.FAILED, counted, error)
    return RetryAt(window(counted.transients) * jitter, counted, error)
