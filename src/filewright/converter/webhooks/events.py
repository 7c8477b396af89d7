"""What can be told, and how the end of a job or of a batch becomes it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from filewright.converter.jobs.schemas import Job
from filewright.converter.jobs.states import PUBLIC_STATUS, JobState, PublicStatus


class Event(StrEnum):
    """Names of events, as receivers see them."""

    JOB_SUCCEEDED = "job.succeeded"
    JOB_FAILED = "job.failed"
    JOB_CANCELLED = "job.cancelled"
    BATCH_FINISHED = "batch.finished"


_OF_STATUS = {
    PublicStatus.SUCCEEDED: Event.JOB_SUCCEEDED,
    PublicStatus.FAILED: Event.JOB_FAILED,
    PublicStatus.CANCELLED: Event.JOB_CANCELLED,
}


def event_of(state: JobState) -> Event | None:
    """What is told when a job ends in that state."""
    return _OF_STATUS.get(PUBLIC_STATUS[state])


def payload(event: Event, at: datetime, job: Job) -> dict[str, Any]:
    """The body: the event, when it happened, and the job as its owner sees it."""
    return _body(event, at, job.model_dump(mode="json", by_alias=True))


def payload_of_erased(event: str, at: datetime, job_id: str) -> dict[str, Any]:
    """What is left to tell of a job whose owner has erased it."""
    return _body(event, at, {"id": job_id, "status": PublicStatus.EXPIRED.value})


def payload_of_batch(at: datetime, batch: str, jobs: Sequence[tuple[str, JobState]]) -> dict[str, Any]:
    """The body when all jobs of a batch are over: which they were, each with its status, and where the rest is."""
    told = [{"id": job_id, "status": PUBLIC_STATUS[state].value} for job_id, state in jobs]
    data = {"id": batch, "status": "finished", "jobs": told, "links": {"self": f"/v1/batches/{batch}"}}
    return _body(Event.BATCH_FINISHED, at, data)


def _body(event: str, at: datetime, data: dict[str, Any]) -> dict[str, Any]:
    return {"type": str(event), "timestamp": at.isoformat().replace("+00:00", "Z"), "data": data}
