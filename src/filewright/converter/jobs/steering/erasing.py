"""Make the files of an erased job be gone, and say so only when they are.

The job's row was moved to `erased` before, so nobody can read or commit any more. Killed anywhere in here, the pruner
calls it again; each step may be repeated.
"""

from __future__ import annotations

from filewright.chassis import failpoints
from filewright.chassis.db.database import Database
from filewright.chassis.storage.port import ObjectStore
from filewright.chassis.telemetry.logs import get_logger
from filewright.converter.jobs import repository
from filewright.converter.jobs.ports import Files
from filewright.converter.jobs.running.results import drop_products

ERASING = failpoints.declare("jobs.erase.inside", "some files of an erased job are deleted and others are not")
ERASED = failpoints.declare("jobs.erase.after", "all files of an erased job are deleted and its row does not say so")

log = get_logger(__name__)


class Eraser:
    """Empties erased jobs."""

    def __init__(self, database: Database, store: ObjectStore, files: Files) -> None:
        self._database = database
        self._store = store
        self._files = files

    async def erase(self, job_id: str) -> None:
        """Delete every file that is this job's alone. A file that another job has a right to stays with that job."""
        async with self._database.read() as session:
            artifacts = [row.id for row in await repository.artifacts_to_erase(session, job_id)]
            attempts = await repository.fruitless_attempts(session, job_id)
        await self._files.erase(artifacts)
        failpoints.hit(ERASING)
        for attempt in attempts:
            await drop_products(self._store, job_id, attempt.number)
        failpoints.hit(ERASED)
        async with self._database.write() as session:
            await repository.mark_cleared(session, job_id, await self._database.now(session))
        log.info("job_erased", job_id=job_id, files=len(artifacts))
