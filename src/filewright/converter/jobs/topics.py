"""Names of what is announced on the `Notifier` about jobs. An announcement says "look again", nothing more."""

from __future__ import annotations

from filewright.chassis.coordination.port import Notifier
from filewright.chassis.db.sessions import WriteSession


def changed(job_id: str) -> str:
    """After every change of a job that its owner can see."""
    return f"job:{job_id}"


def changed_of(tenant: str) -> str:
    """After every change of any job of the tenant that it can see."""
    return f"jobs:{tenant}"


def stop(job_id: str) -> str:
    """When a job that may be running is to stop."""
    return f"job-stop:{job_id}"


def announce_change(session: WriteSession, notifier: Notifier, job_id: str, tenant: str) -> None:
    """Tell who waits for this job, and who watches all of the tenant's, once the unit of work is committed."""
    session.after_commit(lambda: notifier.notify(changed(job_id)))
    session.after_commit(lambda: notifier.notify(changed_of(tenant)))
