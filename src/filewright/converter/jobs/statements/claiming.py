"""The statement by which a worker takes the next job, with all that the work needs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, String, and_, func, literal, select, update

from filewright.chassis.db.dialect import skip_locked
from filewright.chassis.db.hot import Chain, Change, Speech, given
from filewright.converter.artifacts.models import ArtifactRow
from filewright.converter.jobs.models import AttemptRow, JobInputRow, JobRow, JobSecretRow
from filewright.converter.jobs.policy import MAX_CRASHES
from filewright.converter.jobs.statements.parts import event, rows_into, table_of
from filewright.converter.jobs.states import Actor, JobState, Stage

_JOBS, _INPUTS, _ARTIFACTS = table_of(JobRow), table_of(JobInputRow), table_of(ArtifactRow)
_ATTEMPTS, _SECRETS = table_of(AttemptRow), table_of(JobSecretRow)


def _claim(*, suspects: bool) -> Chain:
    return Chain(
        lambda speech: _take(speech, suspects=suspects),
        [event(JobState.QUEUED, Actor.WORKER), _insert_attempt],
        _with_what_it_needs,
    )


_NEEDED = (
    "id", "tenant", "state", "stage", "progress", "revision", "operation", "source_format", "target_format", "options",
    "steps", "route", "limits", "lane", "attempt", "lease_token", "lease_until", "worker", "crash_count",
    "transient_count", "not_before",
)  # fmt: skip


def _take(speech: Speech, *, suspects: bool) -> Any:
    moved = (
        update(_JOBS)
        .where(
            _JOBS.c.state == JobState.QUEUED,
            _JOBS.c.id == func.coalesce(_next(speech, "lane_first", suspects), _next(speech, "lane_then", suspects)),
        )
        .values(
            state=JobState.RUNNING.value,
            revision=_JOBS.c.revision + 1,
            attempt=_JOBS.c.attempt + 1,
            lease_token=given("new_token", String()),
            lease_until=speech.after("lease_for"),
            worker=given("instance", String()),
            stage=Stage.FETCHING.value,
            started_at=func.coalesce(_JOBS.c.started_at, speech.now),
        )
    )
    return moved.returning(*(_JOBS.c[name] for name in _NEEDED), speech.now.label("at"))


def _next(speech: Speech, lane: str, suspects: bool) -> ColumnElement[str]:
    """The job that waits longest in that lane."""
    waiting = _JOBS.alias(lane)
    crashed_twice = waiting.c.crash_count >= MAX_CRASHES - 1
    found = (
        select(waiting.c.id)
        .where(
            waiting.c.state == JobState.QUEUED,
            waiting.c.lane == given(lane, String()),
            waiting.c.not_before <= speech.now,
            waiting.c.deadline_at > speech.now,
            crashed_twice if suspects else ~crashed_twice,
        )
        .order_by(waiting.c.queued_at, waiting.c.id)
        .limit(1)
    )
    return skip_locked(found).scalar_subquery()


def _insert_attempt(moved: FromClause, speech: Speech) -> Change:
    values: dict[str, Any] = {
        "job_id": moved.c.id,
        "number": moved.c.attempt,
        "tenant": moved.c.tenant,
        "token": moved.c.lease_token,
        "worker": moved.c.worker,
        "started_at": speech.now,
        "swept": literal(False),
    }
    return rows_into(_ATTEMPTS, list(values), select(*values.values()))


def _with_what_it_needs(moved: FromClause, _speech: Speech) -> Select[Any]:
    """The job, its first input and its password."""
    inputs, artifacts, secrets = _INPUTS, _ARTIFACTS, _SECRETS
    joined = (
        moved.outerjoin(inputs, and_(inputs.c.job_id == moved.c.id, inputs.c.n == 0))
        .outerjoin(artifacts, artifacts.c.id == inputs.c.artifact_id)
        .outerjoin(secrets, secrets.c.job_id == moved.c.id)
    )
    file = (column.label(f"input_{column.name}") for column in artifacts.c)
    return select(*moved.c, *file, secrets.c.sealed).select_from(joined)


CLAIM = _claim(suspects=False)
"""The job that waits longest in `lane_first`, else in `lane_then`, under `new_token` for `lease_for`; with what the
work needs (`input_…`, `sealed`)."""
CLAIM_SUSPECT = _claim(suspects=True)
"""The same, of those that have crashed twice."""
