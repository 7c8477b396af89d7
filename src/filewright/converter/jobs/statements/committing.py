"""The statement by which a job succeeds, and the one that adds what it made."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Boolean,
    FromClause,
    String,
    case,
    delete,
    false,
    func,
    insert,
    literal,
    null,
    select,
    text,
    update,
)

from filewright.chassis.db.hot import Chain, Change, Speech, given
from filewright.converter.artifacts.models import ArtifactRow
from filewright.converter.jobs.models import AttemptRow, JobOutputRow, JobRow, JobSecretRow, UsageMonthRow, UsageRow
from filewright.converter.jobs.statements.holding import held
from filewright.converter.jobs.statements.parts import endings_of, event, rows_into, table_of, to_come
from filewright.converter.jobs.states import Actor, JobState

_JOBS, _OUTPUTS, _ARTIFACTS = table_of(JobRow), table_of(JobOutputRow), table_of(ArtifactRow)
_ATTEMPTS, _SECRETS = table_of(AttemptRow), table_of(JobSecretRow)
_MONTHS, _USAGE = table_of(UsageMonthRow), table_of(UsageRow)


_ENDED = ("id", "tenant", "state", "attempt", "progress", "revision", "expires_at", "included", "webhook_url")


def _succeed(speech: Speech) -> Any:
    """What came about in another way than was planned does not answer other orders."""
    taken = given("taken_route", _JOBS.c.route.type)
    return (
        update(_JOBS)
        .where(held(JobState.RUNNING))
        .values(
            state=JobState.SUCCEEDED.value,
            revision=_JOBS.c.revision + 1,
            progress=100,
            error=null(),
            lease_token=None,
            lease_until=None,
            worker=None,
            stage=None,
            finished_at=func.coalesce(_JOBS.c.finished_at, speech.now),
            expires_at=speech.after("keep_for"),
            route=taken,
            result_key=case((_JOBS.c.route == taken, _JOBS.c.result_key)),
            measured=given("as_measured", _JOBS.c.measured.type),
            source_format=func.coalesce(given("found_format", String()), _JOBS.c.source_format),
        )
        .returning(*(_JOBS.c[name] for name in _ENDED), speech.now.label("at"))
    )


def _end_attempt(moved: FromClause, speech: Speech) -> Change:
    ended = (
        _ATTEMPTS.c.job_id == select(moved.c.id).scalar_subquery(),
        _ATTEMPTS.c.number == select(moved.c.attempt).scalar_subquery(),
        _ATTEMPTS.c.outcome.is_(None),
    )
    return (
        update(_ATTEMPTS)
        .where(*ended)
        .values(
            ended_at=speech.now,
            outcome=JobState.SUCCEEDED.value,
            seconds=given("took", _ATTEMPTS.c.seconds.type),
            stage=given("at_stage", String()),
            swept=True,
        )
    )


def _charge(moved: FromClause, speech: Speech) -> Change:
    amounts = to_come(_USAGE, "used", "seconds", "input_bytes", "output_bytes")
    row = select(moved.c.id, moved.c.tenant, speech.now.label("at"), *amounts.values())
    return rows_into(_USAGE, ["job_id", "tenant", "at", *amounts], row)


def _add_to_month(moved: FromClause, speech: Speech) -> Change:
    """One more, and what it used. Of a month's conversions those after the included ones cost a credit each."""
    used = to_come(_USAGE, "used", "seconds", "input_bytes", "output_bytes")
    values: dict[str, Any] = {
        "tenant": moved.c.tenant,
        "month": speech.month(speech.now),
        "conversions": literal(1),
        "credits": case((moved.c.included <= 0, 1), else_=0),
        "tier": given("of_tier", String()),
        "included": moved.c.included,
        **used,
    }
    row = select(*values.values()).where(text("1 = 1"))  # SQLite takes ON CONFLICT for a join's without it
    insertion = speech.insert(_MONTHS).from_select(list(values), row, include_defaults=False)
    new, old = insertion.excluded, _MONTHS.c
    changes: dict[str, Any] = {name: old[name] + new[name] for name in ("conversions", *used)}
    changes["credits"] = old.credits + case((new.included <= old.conversions, 1), else_=0)
    changes |= {"tier": new.tier, "included": new.included}
    return insertion.on_conflict_do_update(index_elements=["tenant", "month"], set_=changes)


def _forget_secret(moved: FromClause, _speech: Speech) -> Change:
    return delete(_SECRETS).where(_SECRETS.c.job_id == select(moved.c.id).scalar_subquery())


def _ending(moved: FromClause, speech: Speech) -> Change:
    return endings_of(moved, speech.now)


COMMIT = Chain(
    _succeed,
    [event(JobState.RUNNING, Actor.WORKER), _end_attempt, _charge, _add_to_month, _forget_secret, _ending],
    lambda moved, _: select(moved.c.id, moved.c.tenant, moved.c.state, moved.c.at, moved.c.expires_at),
)
"""The one way to success: move, event, attempt, usage and the month's sums, if the attempt still holds the job.

Tells `at`.
"""


_FILE = ("id", "tenant", "filename", "media_type", "format", "bytes", "sha256", "parts", "created_at", "expires_at")


def _insert_artifact(_speech: Speech) -> Any:
    shared = func.coalesce(given("file_shared", Boolean()), false())
    values = {**to_come(_ARTIFACTS, "file", *_FILE), "shared": shared}
    return insert(_ARTIFACTS).values(values).returning(_ARTIFACTS.c.id)


def _insert_output(moved: FromClause, _speech: Speech) -> Change:
    values = to_come(_OUTPUTS, "output", "job_id", "n", "tenant", "pages", "width", "height", "duration")
    return rows_into(_OUTPUTS, [*values, "artifact_id"], select(*values.values(), moved.c.id))


ADD_OUTPUT = Chain(_insert_artifact, [_insert_output])
"""An output of a job that has just succeeded, with its file, which consists of what others do if it is `shared`."""
