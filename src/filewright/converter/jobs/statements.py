"""The statements that every job runs through: looked at, claimed, reported, committed (accepted: `accepting.py`).

Each is one trip to the database (`chassis/db/hot.py`) and carries its own guard. Who calls them, and what it means when
a guard matched nothing, is in `repository.py`; moves that few jobs make are written there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Insert,
    Integer,
    Select,
    String,
    Table,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    text,
    tuple_,
    update,
)

from filewright.chassis.db.base import Base
from filewright.chassis.db.dialect import skip_locked
from filewright.chassis.db.hot import Chain, Change, Look, Speech, given
from filewright.converter.artifacts.models import ArtifactRow
from filewright.converter.jobs.models import (
    AttemptRow,
    JobEndingRow,
    JobEventRow,
    JobInputRow,
    JobOutputRow,
    JobRow,
    JobSecretRow,
    TenantGateRow,
    UsageMonthRow,
    UsageRow,
)
from filewright.converter.jobs.policy import MAX_CRASHES
from filewright.converter.jobs.states import LEASED, Actor, JobState, Stage

TASK_KIND = "job"


def table_of(model: type[Base]) -> Table:
    """Of that model."""
    return cast("Table", model.__table__)


_JOBS, _INPUTS, _OUTPUTS = table_of(JobRow), table_of(JobInputRow), table_of(JobOutputRow)
_ARTIFACTS, _ATTEMPTS, _EVENTS = table_of(ArtifactRow), table_of(AttemptRow), table_of(JobEventRow)
_MONTHS, _ENDINGS = table_of(UsageMonthRow), table_of(JobEndingRow)
_SECRETS, _GATES, _USAGE = table_of(JobSecretRow), table_of(TenantGateRow), table_of(UsageRow)

_OF_JOB = given("of_job", String())
_OF_TENANT = given("of_tenant", String())


def to_come(table: Table, prefix: str, *names: str) -> Mapping[str, ColumnElement[Any]]:
    """A value to come for each of these columns: `<prefix>_<name>`."""
    return {name: given(f"{prefix}_{name}", table.c[name].type) for name in names}


# --- looking -----------------------------------------------------------------------------------------------------


def place(job: FromClause, speech: Speech, farthest: int | None = None) -> ColumnElement[int]:
    """The place in the queue of a job that waits; 1 is next. None beyond `farthest` + 1 is told.

    It counts everybody's jobs, whoever asks: on PostgreSQL by a function that may, and tells nothing but the number.
    """
    if speech.postgresql:
        bound = () if farthest is None else (literal(farthest, BigInteger()),)
        return func.filewright_place(job.c.lane, job.c.queued_at, job.c.id, *bound, type_=Integer())
    other = _JOBS.alias("other")
    sooner = tuple_(other.c.lane, other.c.queued_at, other.c.id) < tuple_(job.c.lane, job.c.queued_at, job.c.id)
    before = select(literal(1).label("one")).where(other.c.state == JobState.QUEUED, sooner).limit(farthest)
    count = select(func.count()).select_from(before.correlate(job).subquery("sooner")).scalar_subquery()
    return 1 + count


def _job(speech: Speech) -> Select[Any]:
    named = (_ARTIFACTS.c.filename, _ARTIFACTS.c.format, _ARTIFACTS.c.media_type)
    whole = (_ARTIFACTS.c.bytes, _ARTIFACTS.c.sha256)
    inputs = (
        select(_INPUTS.c.upload_id, _INPUTS.c.from_job, _INPUTS.c.from_output, *named, *whole)
        .outerjoin(_ARTIFACTS, _ARTIFACTS.c.id == _INPUTS.c.artifact_id)
        .where(_INPUTS.c.job_id == _OF_JOB)
        .order_by(_INPUTS.c.n)
    )
    facts = (_OUTPUTS.c.pages, _OUTPUTS.c.width, _OUTPUTS.c.height, _OUTPUTS.c.duration)
    outputs = (
        select(_OUTPUTS.c.n, _ARTIFACTS.c.filename, _ARTIFACTS.c.media_type, *whole, *facts)
        .join(_ARTIFACTS, _ARTIFACTS.c.id == _OUTPUTS.c.artifact_id)
        .where(_OUTPUTS.c.job_id == _OF_JOB)
        .order_by(_OUTPUTS.c.n)
    )
    return select(
        *_JOBS.c,
        speech.listed(inputs).label("inputs"),
        case((_JOBS.c.state == JobState.SUCCEEDED, speech.listed(outputs))).label("outputs"),
        case((_JOBS.c.state == JobState.QUEUED, place(_JOBS, speech))).label("place"),
    ).where(_JOBS.c.id == _OF_JOB, _JOBS.c.tenant == _OF_TENANT)


JOB = Look(_job)
"""The row of `of_job`, if it is the job of `of_tenant`: with its inputs, its outputs if it has succeeded, and its place
if it waits."""
STATE = Look(lambda _: select(_JOBS.c.state).where(_JOBS.c.id == _OF_JOB, _JOBS.c.tenant == _OF_TENANT))
"""Where that job stands."""
REVISIONS = Look(
    lambda speech: select(_JOBS.c.id, _JOBS.c.tenant, _JOBS.c.revision).where(speech.among(_JOBS.c.id, "of_jobs"))
)
"""Whether these jobs (`of_jobs`) have changed since, and whose they are."""
REVISION = Look(lambda _: select(_JOBS.c.revision).where(_JOBS.c.id == _OF_JOB, _JOBS.c.tenant == _OF_TENANT))
"""Whether that job has changed since."""


def event(source: JobState | None, actor: Actor) -> Callable[[FromClause, Speech], Change]:
    def build(moved: FromClause, speech: Speech) -> Change:
        values: dict[str, Any] = {
            "job_id": moved.c.id,
            "seq": moved.c.revision,
            "tenant": moved.c.tenant,
            "source": null() if source is None else literal(source.value),
            "target": moved.c.state,
            "actor": literal(actor.value),
            "attempt": moved.c.attempt,
            "progress": moved.c.progress,
            "at": speech.now,
        }
        return rows_into(_EVENTS, list(values), select(*values.values()))

    return build


# --- the worker's moves ------------------------------------------------------------------------------------------


def _claim(*, suspects: bool) -> Chain:
    return Chain(
        lambda speech: _take(speech, suspects=suspects),
        [event(JobState.QUEUED, Actor.WORKER), _insert_attempt],
        _with_what_it_needs,
    )


_NEEDED = (
    "id", "tenant", "state", "stage", "progress", "revision", "operation", "source_format", "target_format", "options",
    "steps", "route", "limits", "lane", "attempt", "lease_token", "lease_until", "worker", "crash_count",
    "transient_count",
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
    return moved.returning(*(_JOBS.c[name] for name in _NEEDED))


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


def held(*states: JobState) -> ColumnElement[bool]:
    """The guard of every write of a worker: this very attempt, under this very token, still in one of these states."""
    return and_(
        _JOBS.c.id == _OF_JOB,
        _JOBS.c.attempt == given("of_attempt", Integer()),
        _JOBS.c.lease_token == given("of_token", String()),
        _JOBS.c.state.in_([state.value for state in states]),
    )


HELD = Look(lambda _: select(_JOBS.c.state).where(held(*LEASED)))
"""The state of a job while the lease holds."""


def _renewed(speech: Speech) -> Any:
    moved = update(_JOBS).where(held(*LEASED), _JOBS.c.lease_until > speech.now)
    return moved.values(lease_until=speech.after("lease_for")).returning(_JOBS.c.state)


BEAT = Chain(_renewed)
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


REPORT = Chain(_reported)
"""The same, and where the attempt is: `at_stage`, `done` per cent. What a caller was shown never goes back."""


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


def endings_of(moved: FromClause, at: ColumnElement[Any]) -> Insert:
    """Write down these ends of jobs for those who want to be told, if anybody does."""
    listening = exists().where(_GATES.c.tenant == moved.c.tenant, _GATES.c.listens.is_(True))
    row = select(moved.c.id, moved.c.revision, moved.c.tenant, moved.c.state, at)
    row = row.where(or_(moved.c.webhook_url.is_not(None), listening))
    return rows_into(_ENDINGS, ["job_id", "revision", "tenant", "state", "at"], row)


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
    return insert(_ARTIFACTS).values(to_come(_ARTIFACTS, "file", *_FILE)).returning(_ARTIFACTS.c.id)


def _insert_output(moved: FromClause, _speech: Speech) -> Change:
    values = to_come(_OUTPUTS, "output", "job_id", "n", "tenant", "pages", "width", "height", "duration")
    return rows_into(_OUTPUTS, [*values, "artifact_id"], select(*values.values(), moved.c.id))


ADD_OUTPUT = Chain(_insert_artifact, [_insert_output])
"""An output of a job that has just succeeded, with its file."""


def rows_into(table: Table, names: list[str], rows: Select[Any]) -> Insert:
    """Without the defaults of a model: each row says what is in it."""
    return insert(table).from_select(names, rows, include_defaults=False)
