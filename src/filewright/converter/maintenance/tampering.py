"""Looks once a day whether the audit log is what was written, and raises the alarm when it is not.

`filewright admin audit verify` asks the same and shows the rows. Here the newest copies of the head are enough: those
before were looked at on the days before.
"""

from __future__ import annotations

from filewright.chassis.audit.copies import Copies
from filewright.chassis.audit.log import SYSTEM
from filewright.chassis.audit.seals import Seals
from filewright.chassis.audit.verify import verify
from filewright.chassis.audit.watch import Watch
from filewright.chassis.db.database import Database
from filewright.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

EVERY_SECONDS = 24 * 3600.0
_COPIES = 48


class TamperCheck:
    """Run `run_once` again and again."""

    def __init__(self, database: Database, copies: Copies, seals: Seals, watch: Watch) -> None:
        self._database = database
        self._copies = copies
        self._seals = seals
        self._watch = watch

    async def run_once(self) -> int:
        """How many findings there are."""
        verdict = await verify(self._database, self._seals, await self._copies.all(latest=_COPIES))
        for finding in verdict.findings:
            log.error("audit_log_changed", row=finding.row, kind=finding.kind, detail=finding.detail)
        if verdict.findings:
            self._watch.seen("audit_tampered", SYSTEM)
        return len(verdict.findings)
