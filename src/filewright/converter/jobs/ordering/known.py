"""Orders that are answered with what an earlier job of the same owner made: no queue, no engine, no charge.

The new job is a job like any other, over from the start. Its outputs are its own: they are kept as long as it, and
deleting one of the two jobs leaves the other what it has, because the artifacts count who consists of their objects
(`artifacts/contents.py`). What would be shown is looked at first, to the last byte if it is not long: what was damaged
answers nobody, and the order is worked on.

Two steps, because no unit of work may wait for bytes: `find`, and then `answer`, which believes nothing of what was
found but the bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, String, literal, select

from filewright.chassis.db.database import Database, WriteSession
from filewright.chassis.db.hot import Chain, Look, Speech, given
from filewright.chassis.ids import IdSource
from filewright.chassis.telemetry.logs import get_logger
from filewright.chassis.telemetry.metrics import Metrics
from filewright.converter.artifacts.models import ARTIFACT_PREFIX, Artifact, artifact_of, row_of
from filewright.converter.jobs import repository
from filewright.converter.jobs.looking import views
from filewright.converter.jobs.models import JobRow
from filewright.converter.jobs.ports import Files
from filewright.converter.jobs.repository.moves import prefixed
from filewright.converter.jobs.schemas import Job
from filewright.converter.jobs.statements import ADD_OUTPUT, MOST_OUTPUTS, OUTPUTS, accepting
from filewright.converter.jobs.statements.parts import endings_of, event, rows_into, table_of, to_come
from filewright.converter.jobs.states import Actor, JobState

log = get_logger(__name__)
_JOBS = table_of(JobRow)
_AS_FOUND = ("source_format", "target_format", "measured", "cached_from")
_RETURNED = (*accepting.RETURNED, "webhook_url", "expires_at")


class NotKeptError(Exception):
    """What was found is not there any more, or the file that was ordered."""


@dataclass(frozen=True)
class Known:
    """A job whose result would do, as it was found."""

    job: Any
    """What there is to say of it: its id (`job_id`), and what a job shows that was answered with it."""
    outputs: Sequence[tuple[Any, Artifact]]
    """What is known of each, and its file."""


def _insert_over(speech: Speech) -> Any:
    ordered = [name for name in accepting.ORDERED if name not in _AS_FOUND]
    values: dict[str, ColumnElement[Any]] = {
        **to_come(_JOBS, "job", *ordered),
        **to_come(_JOBS, "known", *_AS_FOUND),
        **accepting.fresh(speech),
        "state": literal(JobState.SUCCEEDED.value),
        "progress": literal(100),
        **dict.fromkeys(("queued_at", "started_at", "finished_at"), speech.now),
        "expires_at": speech.after("keep_for"),
    }
    kept = _JOBS.alias("kept")
    is_kept = (kept.c.id == given("known_cached_from", String()), kept.c.tenant == accepting.OF_TENANT)
    row = select(*(value.label(name) for name, value in values.items())).where(
        accepting.readable(), select(kept.c.id).where(*is_kept, kept.c.state == JobState.SUCCEEDED).exists()
    )
    return rows_into(_JOBS, list(values), row).returning(*(_JOBS.c[name] for name in _RETURNED))


def _of_keys(speech: Speech) -> Select[Any]:
    kept = accepting.kept(_JOBS, speech)
    wanted = speech.among(_JOBS.c.result_key, "all_wanted")
    return select(_JOBS.c.id, _JOBS.c.result_key).where(*kept, wanted).order_by(_JOBS.c.id)


_KNOWN = Look(_of_keys)
"""The jobs of `of_tenant` whose results are one of `all_wanted`, by birth."""
_ANSWER = Chain(
    _insert_over,
    [
        event(None, Actor.CALLER),
        accepting.insert_input,
        accepting.keep_artifact,
        lambda moved, speech: endings_of(moved, speech.now),
    ],
)
"""A job that is over, with its event, its first input, and word of its end for those who listen."""


class KnownResults:
    """Finds results and answers with them."""

    def __init__(self, database: Database, files: Files, ids: IdSource, metrics: Metrics) -> None:
        self._database = database
        self._files = files
        self._ids = ids
        self._met = metrics.counter("results_known", "Orders for which a result was there.", ("outcome",))

    async def find_all(self, tenant: str, keys: Iterable[str]) -> Mapping[str, Known]:
        """By their keys, those that are there: of each the newest."""
        wanted = sorted(set(keys))
        if not wanted:
            return {}
        rows = await self._database.ask(_KNOWN, of_tenant=tenant, all_wanted=wanted)
        newest = {row.result_key: row.id for row in rows}
        found = {key: await self.find(tenant, job_id) for key, job_id in newest.items()}
        return {key: known for key, known in found.items() if known is not None}

    async def find(self, tenant: str, job_id: str) -> Known | None:
        """What that job made, if all of it is there and as it was."""
        rows = await self._database.ask(OUTPUTS, of_job=job_id, of_tenant=tenant)
        if not 0 < len(rows) <= MOST_OUTPUTS:
            return None
        known = Known(rows[0], [(row, artifact_of(row, "its_")) for row in rows])
        for _, artifact in known.outputs:
            if not await self._files.is_sound(artifact):
                self._met.labels("damaged").inc()
                log.warning("known_result_damaged", job_id=job_id, artifact_id=artifact.id)
                return None
        return known

    async def answer(self, session: WriteSession, known: Known, values: Mapping[str, Any]) -> Any:
        """Write the job down as over, with all but its outputs. Raises NotKeptError."""
        row = await session.make(
            _ANSWER, **values, **{f"known_{name}": getattr(known.job, name) for name in _AS_FOUND[:-1]},
            known_cached_from=known.job.job_id,
        )  # fmt: skip
        if row is None:
            raise NotKeptError
        await self._share(session, known, row)
        self._met.labels("hit").inc()
        return row

    async def shown(self, session: WriteSession, row: Any) -> Job:
        """What its owner sees of it."""
        await session.flush()
        return views.shown(await repository.shown(session, row.id, row.tenant))

    async def _share(self, session: WriteSession, known: Known, row: Any) -> None:
        shared = await self._files.join(session, [artifact.id for _, artifact in known.outputs])
        if shared is None:
            raise NotKeptError
        for output, artifact in known.outputs:
            own = self._ids.new(ARTIFACT_PREFIX)
            of_its_own = replace(shared[artifact.id], id=own, created_at=row.created_at, expires_at=row.expires_at)
            await session.make(ADD_OUTPUT, **prefixed("file", row_of(of_its_own)), **_output(output, row))


def _output(known: Any, row: Any) -> dict[str, Any]:
    facts = {f"output_{name}": getattr(known, name) for name in ("n", "pages", "width", "height", "duration")}
    return {**facts, "output_job_id": row.id, "output_tenant": row.tenant}
