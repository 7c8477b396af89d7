"""Names of what is announced about jobs, to the queue and on the `Notifier`: "look again", and nothing more."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from filewright.chassis.coordination.port import Notifier
from filewright.chassis.db.sessions import WriteSession

TASK_KIND = "job"
"""What a hint is of that a job waits."""
CHANGED, CHANGED_OF, OVER = "job", "jobs", "job-over"
"""Families of topics: what stands before the colon."""


def changed(job_id: str) -> str:
    """After every change of a job that its owner can see."""
    return f"{CHANGED}:{job_id}"


def changed_of(tenant: str) -> str:
    """After every change of any job of the tenant that it can see."""
    return f"{CHANGED_OF}:{tenant}"


def over(job_id: str) -> str:
    """After every change by which a job may have come to its end: for those who wait for nothing else."""
    return f"{OVER}:{job_id}"


def stop(job_id: str) -> str:
    """When a job that may be running is to stop."""
    return f"job-stop:{job_id}"


def announce_change(
    session: WriteSession, notifier: Notifier, job_id: str, tenant: str, *, goes_on: bool = False
) -> None:
    """Tell who waits for this job, and who watches all of the tenant's, once the unit of work is committed.

    `goes_on`: the change ended nothing for sure, so whoever waits for the end alone need not look.
    """
    for topic in _topics(job_id, tenant, goes_on=goes_on):
        session.after_commit(partial(notifier.notify, topic))


async def tell_change(notifier: Notifier, job_id: str, tenant: str, *, goes_on: bool = False) -> None:
    """As `announce_change`, for what is committed already."""
    for topic in _topics(job_id, tenant, goes_on=goes_on):
        await notifier.notify(topic)


def _topics(job_id: str, tenant: str, *, goes_on: bool) -> Sequence[str]:
    return (changed(job_id), changed_of(tenant), *(() if goes_on else (over(job_id),)))
