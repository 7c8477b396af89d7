"""Rows to wire shapes: the one place where what is stored becomes what a caller sees."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from filewright.chassis.db.sessions import ReadSession
from filewright.chassis.web.problems import Conflict
from filewright.converter.artifacts.models import Artifact, ArtifactRow
from filewright.converter.conversion.orders import Plan
from filewright.converter.errors import Cancelled, Expired
from filewright.converter.jobs import repository
from filewright.converter.jobs.errors import problem_of_job, restored
from filewright.converter.jobs.forecasts.admission import UNSEEN, Pressure
from filewright.converter.jobs.models import JobEventRow, JobInputRow, JobRow
from filewright.converter.jobs.orders import JobInput, JobOrder, Planned
from filewright.converter.jobs.schemas import (
    Fidelity,
    Input,
    Job,
    JobEvent,
    JobProblem,
    Output,
    Quote,
    QuotedLimits,
    RouteStep,
)
from filewright.converter.jobs.statements.parts import FARTHEST_PLACE
from filewright.converter.jobs.states import PUBLIC_STATUS, JobState, PublicStatus, Stage
from filewright.converter.tiers import Tier

Turn = tuple[str, datetime, str]
"""By what turns are taken: lane, since when it counts as waiting, id."""


@dataclass(frozen=True)
class Seen:
    """A job as it was read, and what tells its place in the queue, which changes without it."""

    job: Job
    turn: Turn
    seconds: float | None
    """How long it was thought to take when it was ordered."""

    def at(self, place: int | None, pressure: Pressure) -> Job:
        """The view of it there."""
        return _placed(self.job, self.seconds, place, pressure)


async def job(session: ReadSession, row: JobRow) -> Job:
    """The whole view of one job as it is now, with its place in the queue as far as it is counted."""
    return shown(await repository.shown(session, row.id, row.tenant))


def shown(row: Any) -> Job:
    """The same of what `statements.JOB` found."""
    place = row.place if row.place is not None and row.place <= FARTHEST_PLACE else None
    return seen(row).at(place, UNSEEN)


def seen(row: Any) -> Seen:
    """What `statements.JOB` found."""
    inputs = [_input(*facts) for facts in row.inputs]
    outputs = [_output(row.id, *facts) for facts in row.outputs or ()]
    return Seen(_job(row, inputs, outputs), (row.lane, row.queued_at, row.id), row.estimated_seconds)


def accepted(
    job_id: str,
    order: JobOrder,
    files: Sequence[Artifact],
    planned: Planned,
    *,
    at: datetime,
    place: int | None,
    pressure: Pressure,
) -> Job:
    """The view of a job that was written a moment ago."""
    plan = planned.plan
    return Job(
        id=job_id,
        status=PublicStatus.QUEUED,
        stage=None,
        progress=0,
        operation=planned.steps[-1].operation if planned.steps else order.operation,
        source_format=plan.source_format,
        target_format=plan.target_format,
        route=tuple(RouteStep.model_validate(hop.as_json()) for hop in plan.route),
        inputs=tuple(_ordered(item, file) for item, file in zip(order.inputs, files, strict=True)),
        outputs=(),
        attempt=0,
        queue_position=place,
        estimated_seconds=_until_done(plan.estimated_seconds, place, pressure),
        tag=order.tag,
        created_at=at,
        started_at=None,
        finished_at=None,
        expires_at=None,
        links=_links(job_id, PublicStatus.QUEUED),
        revision=1,
    )


async def jobs(
    session: ReadSession,
    rows: Sequence[JobRow],
    places: Mapping[str, int | None] | None = None,
    pressure: Pressure = UNSEEN,
) -> tuple[Job, ...]:
    """The views of many, with their places in the queue as far as they are given."""
    ids = [row.id for row in rows]
    inputs: dict[str, list[Input]] = defaultdict(list)
    for item, artifact in await repository.inputs_of(session, ids):
        inputs[item.job_id].append(_read(item, artifact or ArtifactRow()))
    outputs: dict[str, list[Output]] = defaultdict(list)
    for made, artifact in await repository.outputs_of(session, ids):
        outputs[made.job_id].append(output(made, artifact))
    at = places or {}
    return tuple(
        _placed(_job(row, inputs[row.id], outputs[row.id]), row.estimated_seconds, at.get(row.id), pressure)
        for row in rows
    )


def output(row: Any, artifact: Artifact | ArtifactRow) -> Output:
    """One product."""
    file = (artifact.filename, artifact.media_type, artifact.bytes, artifact.sha256)
    return _output(row.job_id, row.n, *file, row.pages, row.width, row.height, row.duration)


def check_has_outputs(row: Any) -> None:
    """Raise what keeps a caller from this job's outputs: that it is not over, failed, or is erased."""
    status = PUBLIC_STATUS[JobState(row.state)]
    if status is PublicStatus.SUCCEEDED:
        return
    if status is PublicStatus.EXPIRED:
        raise Expired
    if status is PublicStatus.CANCELLED:
        raise Cancelled
    if status is PublicStatus.FAILED:
        raise restored(row.error or {})
    raise Conflict("The job is not over yet; wait for its end with `GET /v1/jobs/{id}?wait=20`.")


def quote(plan: Plan, tier: Tier, standing: Any, wait: float) -> Quote:
    """What a planned job would be, for one who stands so."""
    hit = standing.known is not None
    return Quote(
        route=tuple(RouteStep.model_validate(hop.as_json()) for hop in plan.route),
        engine=plan.route[-1].engine,
        limits=QuotedLimits(
            max_input_bytes=tier.max_input_bytes,
            max_output_bytes=tier.max_output_bytes,
            max_seconds=tier.max_wall_seconds,
            max_pages=tier.max_pages,
            max_pixels=tier.max_pixels,
        ),
        estimated_seconds=0.0 if hit else plan.estimated_seconds,
        queue_seconds=0.0 if hit else round(wait, 3),
        cost=0.0 if hit or tier.monthly_conversions is None else 1.0,
        credits=0 if hit else _credits(tier, standing),
        cache="hit" if hit else "miss",
    )


def _credits(tier: Tier, standing: Any) -> int:
    """What is under way is taken to succeed."""
    included = tier.monthly_conversions
    return 0 if included is None or standing.used + standing.unfinished < included else 1


def state_event(move: JobEventRow) -> JobEvent:
    """A move, as it was then."""
    status = PUBLIC_STATUS[JobState(move.target)]
    data = {"status": status, "stage": None, "progress": move.progress, "attempt": move.attempt, "at": _text(move.at)}
    if move.target == JobState.RUNNING:
        data["stage"] = Stage.FETCHING
    if move.code is not None:
        data["code"] = move.code
    return JobEvent(move.seq, "state", data)


def progress_event(view: Job) -> JobEvent:
    """Where the job is now."""
    data = {"status": view.status, "stage": view.stage, "progress": view.progress, "attempt": view.attempt}
    return JobEvent(view.revision, "progress", data)


def done_event(view: Job) -> JobEvent:
    """The last event: the whole job."""
    return JobEvent(view.revision, "done", view.model_dump(mode="json", by_alias=True))


def _job(row: Any, inputs: Sequence[Input], outputs: Sequence[Output]) -> Job:
    state = JobState(row.state)
    status = PUBLIC_STATUS[state]
    waits = status in {PublicStatus.QUEUED, PublicStatus.RUNNING}
    return Job(
        id=row.id,
        status=status,
        stage=Stage(row.stage) if row.stage and status is PublicStatus.RUNNING else None,
        progress=row.progress,
        operation=row.operation,
        source_format=row.source_format,
        target_format=row.target_format,
        route=tuple(RouteStep.model_validate(hop) for hop in row.route),
        inputs=tuple(inputs),
        outputs=tuple(outputs) if state is JobState.SUCCEEDED else (),
        fidelity=None if row.measured is None else Fidelity.model_validate(row.measured),
        error=JobProblem.model_validate(problem_of_job(row.error, row.id)) if row.error and not waits else None,
        attempt=row.attempt,
        estimated_seconds=_time_left(row) if waits else None,
        cache="miss" if row.cached_from is None else "hit",
        tag=row.tag,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        expires_at=row.expires_at,
        links=_links(row.id, status),
        revision=row.revision,
    )


def _placed(view: Job, seconds: float | None, place: int | None, pressure: Pressure) -> Job:
    if place is None or view.status is not PublicStatus.QUEUED:
        return view
    return view.model_copy(update={"queue_position": place, "estimated_seconds": _until_done(seconds, place, pressure)})


def _ordered(item: JobInput, file: Artifact) -> Input:
    origin = (item.upload, item.job, item.output if item.job is not None else None)
    return _input(*origin, file.filename, file.format, file.media_type, file.bytes, file.sha256)


def _read(item: JobInputRow, file: Artifact | ArtifactRow) -> Input:
    origin = (item.upload_id, item.from_job, item.from_output)
    return _input(*origin, file.filename, file.format, file.media_type, file.bytes, file.sha256)


def _input(
    upload: str | None,
    job_id: str | None,
    output_n: int | None,
    name: str | None,
    format_id: str | None,
    media_type: str | None,
    size: int | None,
    sha256: str | None,
) -> Input:
    return Input(
        upload=upload,
        job=job_id,
        output=output_n,
        name=name,
        format=format_id,
        media_type=media_type,
        bytes=size or 0,
        sha256=sha256 or "",
    )


def _output(
    job_id: str,
    n: int,
    name: str,
    media_type: str,
    size: int,
    sha256: str,
    pages: int | None,
    width: int | None,
    height: int | None,
    duration: float | None,
) -> Output:
    return Output(
        name=name,
        media_type=media_type,
        bytes=size,
        sha256=sha256,
        pages=pages,
        width=width,
        height=height,
        duration=duration,
        url=f"/v1/jobs/{job_id}/outputs/{n}",
    )


def _time_left(row: Any) -> float | None:
    if row.estimated_seconds is None:
        return None
    whole, progress = float(row.estimated_seconds), int(row.progress)
    return round(whole * (100 - progress) / 100, 3)


def _until_done(seconds: float | None, place: int | None, pressure: Pressure) -> float | None:
    """Until its turn comes, as far as that was seen a moment ago, and then what it takes itself."""
    if seconds is None or place is None:
        return None
    return round(pressure.wait_at(place, seconds) + seconds, 3)


def _links(job_id: str, status: PublicStatus) -> dict[str, str]:
    here = f"/v1/jobs/{job_id}"
    links = {"self": here, "events": f"{here}/events"}
    if status in {PublicStatus.QUEUED, PublicStatus.RUNNING}:
        links["cancel"] = f"{here}/cancel"
    if status in {PublicStatus.FAILED, PublicStatus.CANCELLED}:
        links["retry"] = f"{here}/retry"
    if status is PublicStatus.SUCCEEDED:
        links["outputs"] = f"{here}/outputs"
    return links


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
