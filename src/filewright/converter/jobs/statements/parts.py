"""What statements on jobs are made of: their tables, values to come, and the changes that several of them make."""

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
    exists,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    tuple_,
)

from filewright.chassis.db.base import Base
from filewright.chassis.db.hot import Change, Speech, given
from filewright.converter.jobs.models import JobEndingRow, JobEventRow, JobRow, TenantGateRow
from filewright.converter.jobs.states import Actor, JobState

FARTHEST_PLACE = 100
"""A place in the queue is counted up to here: to count on would cost each look and each order as much as all wait."""
OF_JOB = given("of_job", String())
OF_TENANT = given("of_tenant", String())


def table_of(model: type[Base]) -> Table:
    """Of that model."""
    return cast("Table", model.__table__)


_JOBS, _EVENTS = table_of(JobRow), table_of(JobEventRow)
_GATES, _ENDINGS = table_of(TenantGateRow), table_of(JobEndingRow)


def to_come(table: Table, prefix: str, *names: str) -> Mapping[str, ColumnElement[Any]]:
    """A value to come for each of these columns: `<prefix>_<name>`."""
    return {name: given(f"{prefix}_{name}", table.c[name].type) for name in names}


def rows_into(table: Table, names: list[str], rows: Select[Any]) -> Insert:
    """Without the defaults of a model: each row says what is in it."""
    return insert(table).from_select(names, rows, include_defaults=False)


def place(job: FromClause, speech: Speech) -> ColumnElement[int]:
    """The place in the queue of a job that waits; 1 is next, and whatever is beyond `FARTHEST_PLACE` is one more.

    It counts everybody's jobs, whoever asks: on PostgreSQL by a function that may, and tells nothing but the number.
    """
    if speech.postgresql:
        bound = literal(FARTHEST_PLACE, BigInteger())
        return func.filewright_place(job.c.lane, job.c.queued_at, job.c.id, bound, type_=Integer())
    other = _JOBS.alias("other")
    sooner = tuple_(other.c.lane, other.c.queued_at, other.c.id) < tuple_(job.c.lane, job.c.queued_at, job.c.id)
    before = select(literal(1).label("one")).where(other.c.state == JobState.QUEUED, sooner).limit(FARTHEST_PLACE)
    count = select(func.count()).select_from(before.correlate(job).subquery("sooner")).scalar_subquery()
    return 1 + count


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


def endings_of(moved: FromClause, at: ColumnElement[Any]) -> Insert:
    """Write down these ends of jobs for those who want to be told, if anybody does."""
    listening = exists().where(_GATES.c.tenant == moved.c.tenant, _GATES.c.listens.is_(True))
    row = select(moved.c.id, moved.c.revision, moved.c.tenant, moved.c.state, at)
    row = row.where(or_(moved.c.webhook_url.is_not(None), listening))
    return rows_into(_ENDINGS, ["job_id", "revision", "tenant", "state", "at"], row)
