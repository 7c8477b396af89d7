"""Writes into the audit log that a job came to be kept from the engines: its file crashed them, or is malware."""

from __future__ import annotations

from collections.abc import Sequence

from filewright.chassis.audit import acts
from filewright.chassis.audit.log import SYSTEM, Audit
from filewright.chassis.db.database import WriteSession
from filewright.converter.jobs import repository
from filewright.converter.jobs.states import JobState

INFECTED = acts.declare("scan.infected", "the scanner named malware; the file was deleted")
QUARANTINED = acts.declare("quarantine.begun", "a file that crashed engines is kept from them")


async def record_held(audit: Audit, session: WriteSession, job_ids: Sequence[str]) -> None:
    """Write down which of these jobs, that were just moved, are held now. Last in its unit of work."""
    for job in await repository.held(session, job_ids):
        act = INFECTED if job.state == JobState.INFECTED else QUARANTINED
        await audit.record(session, act, actor=SYSTEM, tenant=job.tenant, subject=job.id)
