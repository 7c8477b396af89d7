"""Keep the tables that only grow in pieces of time: made ahead, dropped when they are past their retention."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Table

from filewright.chassis.audit.models import UPKEEP, AuditLogRow
from filewright.chassis.db.database import Database
from filewright.chassis.db.partitions import Partitioned, Span, tend
from filewright.chassis.identity.models import UserSessionRow
from filewright.chassis.telemetry.logs import get_logger
from filewright.chassis.telemetry.metrics import Metrics
from filewright.chassis.web.request_log_model import ApiRequestRow
from filewright.converter.settings import DEFAULT_REQUEST_LOG_DAYS

EVERY_SECONDS = 3600.0
AUDIT_DAYS = 400
"""A year, and the time to ask for it."""
SESSION_DAYS = 180
"""Longer than any session may last."""

log = get_logger(__name__)


def partitioned(request_log_days: int | None = None) -> tuple[Partitioned, ...]:
    """The tables, and how long each keeps its rows."""
    days = request_log_days or DEFAULT_REQUEST_LOG_DAYS
    return (
        Partitioned(_table(AuditLogRow), "at", Span.MONTH, ahead=3, keep=timedelta(days=AUDIT_DAYS), passes=UPKEEP),
        Partitioned(_table(UserSessionRow), "created_at", Span.MONTH, ahead=3, keep=timedelta(days=SESSION_DAYS)),
        Partitioned(_table(ApiRequestRow), "at", Span.DAY, ahead=7, keep=timedelta(days=days)),
    )


class Partitions:
    """One round over all of them per run. Any number may run; one is enough."""

    def __init__(self, database: Database, metrics: Metrics, tables: Sequence[Partitioned]) -> None:
        self._database = database
        self._tables = tables
        self._ahead = metrics.gauge("partitions_ahead", "Partitions made for the future; alarm below 2.", ("table",))
        self._strays = metrics.gauge("partition_strays", "Rows that no partition takes; alarm above 0.", ("table",))

    async def run_once(self) -> int:
        """How many partitions were made and dropped. Raises DatabaseUnavailable."""
        changed = 0
        for kept in self._tables:
            tended = await tend(self._database, kept)
            self._ahead.labels(kept.table.name).set(tended.ahead)
            self._strays.labels(kept.table.name).set(tended.strays)
            if tended.made or tended.dropped or tended.deleted:
                log.info(
                    "partitions_tended",
                    table=kept.table.name,
                    made=tended.made,
                    dropped=tended.dropped,
                    deleted=tended.deleted,
                )
            changed += tended.made + tended.dropped
        return changed


def _table(row: type[AuditLogRow | UserSessionRow | ApiRequestRow]) -> Table:
    table = row.__table__
    assert isinstance(table, Table)
    return table
