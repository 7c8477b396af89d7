"""What whoever holds a lease asks and tells while it works, and the guard of every write that it makes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Integer, String, and_, case, select, update

from filewright.chassis.db.hot import Chain, Look, Speech, given
from filewright.converter.jobs.models import JobRow
from filewright.converter.jobs.statements.parts import OF_JOB, table_of
from filewright.converter.jobs.states import LEASED, JobState

_JOBS = table_of(JobRow)


def held(*states: JobState) -> ColumnElement[bool]:
    """The guard of every write of a worker: this very attempt, under this very token, still in one of these states."""
    return and_(
        _JOBS.c.id == OF_JOB,
        _JOBS.c.attempt == given("of_attempt", Integer()),
        _JOBS.c.lease_token == given("of_token", String()),
        _JOBS.c.state.in_([state.value for state in states]),
    )


HELD = Look(lambda _: select(_JOBS.c.state).where(held(*LEASED)))
"""The state of a job while the lease holds."""


def _renewed(speech: Speech) -> Any:
    moved = update(_JOBS).where(held(*LEASED), _JOBS.c.lease_until > speech.now)
    return moved.values(lease_until=speech.after("lease_for")).returning(_JOBS.c.state)


BEAT = Chain(_renewed, durable=False)
"""Renew the lease by `lease_for`; tells the state."""


def _reported(speech: Speech) -> Any:
    done = given("done", Integer())
    return (
        update(_JOBS)
        .where(held(*LEASED), _JOBS.c.lease_until > speech.now)
        .values(
            lease_until=speech.after("lease_for"),
            stage=given("at_stage", String()),
            progress=case((_JOBS.c.progress < done, done), else_=_JOBS.c.progress),
            revision=_JOBS.c.revision + 1,
        )
        .returning(_JOBS.c.state)
    )


REPORT = Chain(_reported, durable=False)
"""The same, and where the attempt is: `at_stage`, `done` per cent. What a caller was shown never goes back."""
