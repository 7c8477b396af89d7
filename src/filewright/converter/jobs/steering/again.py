"""What it takes to let a job run once more that has ended."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from filewright.chassis.db.database import WriteSession
from filewright.converter.errors import Expired
from filewright.converter.jobs import repository


def fresh_start(now: datetime, deadline: timedelta, first_hint: timedelta) -> dict[str, Any]:
    """What a job that is ordered again starts with; only its attempt numbers go on."""
    return {
        "progress": 0,
        "error": None,
        "crash_count": 0,
        "transient_count": 0,
        "hint_at": now + first_hint,
        "hint_n": 0,
        "queued_at": now,
        "not_before": now,
        "deadline_at": now + deadline,
        "cancel_at": None,
        "started_at": None,
        "finished_at": None,
        "expires_at": None,
    }


async def keep_inputs(session: WriteSession, job_id: str, *, until: datetime) -> None:
    """Inputs must still be there for another try, and stay until it is over. Raises Expired."""
    found = await repository.inputs_of(session, [job_id])
    artifacts = [artifact for _, artifact in found if artifact is not None]
    if len(artifacts) < len(found) or any(artifact.erased_at is not None for artifact in artifacts):
        raise Expired("The input is not kept any more; upload it again and order a new job.")
    await repository.keep_artifacts(session, [artifact.id for artifact in artifacts], until=until)
