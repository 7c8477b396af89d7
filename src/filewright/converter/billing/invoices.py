"""What a caller used, month by month, and what it was asked to pay for it.

The document of an invoice is made when it is first wanted, by an ordinary job of the house: from the invoice's page to
PDF, on whatever worker is free. It is kept as long as the law wants invoices kept; should it be gone, it is made again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import func, select, update

from filewright.chassis.db import acting
from filewright.chassis.db.database import Database
from filewright.chassis.db.sessions import ReadSession
from filewright.chassis.ids import is_id
from filewright.chassis.web.problems import NotFound, Overloaded
from filewright.converter.billing.closing import number_of
from filewright.converter.billing.models import InvoiceRow
from filewright.converter.billing.rendering import page
from filewright.converter.jobs.models import UsageMonthRow
from filewright.converter.jobs.orders import JobInput, JobOrder
from filewright.converter.jobs.schemas import Job
from filewright.converter.jobs.service import PREVIEW_TAG, Jobs
from filewright.converter.jobs.states import PublicStatus
from filewright.converter.tiers import LOCAL, Caller
from filewright.converter.uploads.service import Uploads

INVOICE_PREFIX = "inv"
HOUSE = Caller(
    "filewright:billing", replace(LOCAL, name="house", retention_seconds=10 * 366 * 24 * 3600, lane="premium")
)
"""Who has the documents made, and owns them: they are not among their customer's files, and cost it nothing."""
_WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class MonthOfAll:
    """What all tenants of a tier used in a month."""

    month: str
    tier: str
    tenants: int
    conversions: int
    credits: int
    seconds: float
    input_bytes: int
    output_bytes: int


class Invoices:
    """Every method but `used_by_all` sees only what is the caller's."""

    def __init__(self, database: Database, uploads: Uploads, jobs: Jobs) -> None:
        self._database = database
        self._uploads = uploads
        self._jobs = jobs

    async def months(self, caller: Caller, *, before: str | None = None, limit: int = 12) -> Sequence[UsageMonthRow]:
        """What was used, newest month first."""
        query = select(UsageMonthRow).where(UsageMonthRow.tenant == caller.tenant)
        if before is not None:
            query = query.where(UsageMonthRow.month < before)
        async with self._database.read() as session:
            return (await session.scalars(query.order_by(UsageMonthRow.month.desc()).limit(limit))).all()

    @acting.by_system("the operator sees what everybody used")
    async def used_by_all(self, *, since: str) -> Sequence[MonthOfAll]:
        """What everybody used from that month on, by tier: for the operator."""
        sums = (
            func.sum(column)
            for column in (
                UsageMonthRow.conversions,
                UsageMonthRow.credits,
                UsageMonthRow.seconds,
                UsageMonthRow.input_bytes,
                UsageMonthRow.output_bytes,
            )
        )
        query = (
            select(UsageMonthRow.month, UsageMonthRow.tier, func.count(), *sums)
            .where(UsageMonthRow.month >= since)
            .group_by(UsageMonthRow.month, UsageMonthRow.tier)
            .order_by(UsageMonthRow.month.desc(), UsageMonthRow.tier)
        )
        async with self._database.read() as session:
            return [_of_all(row) for row in await session.execute(query)]

    async def page(self, caller: Caller, *, before: str | None = None, limit: int = 20) -> Sequence[InvoiceRow]:
        """The caller's invoices, newest first."""
        query = select(InvoiceRow).where(InvoiceRow.tenant == caller.tenant)
        if before is not None:
            query = query.where(InvoiceRow.id < before)
        async with self._database.read() as session:
            return (await session.scalars(query.order_by(InvoiceRow.id.desc()).limit(limit))).all()

    async def get(self, caller: Caller, invoice_id: str) -> InvoiceRow:
        """One. Raises NotFound."""
        async with self._database.read() as session:
            return await _own(session, caller, invoice_id)

    async def document(self, caller: Caller, invoice_id: str) -> Job:
        """The job whose output 0 is the invoice's PDF; it has succeeded. Raises NotFound, Overloaded."""
        row = await self.get(caller, invoice_id)
        made = await self._made(row) or await self._make(row)
        with acting.as_tenant(HOUSE.tenant):
            job = await self._jobs.wait_until_over(HOUSE, made.id, _WAIT_SECONDS)
        if job.status is not PublicStatus.SUCCEEDED:
            raise Overloaded("The document could not be made yet; ask again in a moment.", retry_after=5.0)
        return job

    async def _made(self, row: InvoiceRow) -> Job | None:
        """The job that made it, or is about to."""
        if row.pdf_job is None:
            return None
        try:
            with acting.as_tenant(HOUSE.tenant):
                job = await self._jobs.get(HOUSE, row.pdf_job)
        except NotFound:
            return None
        return job if job.status in {PublicStatus.QUEUED, PublicStatus.RUNNING, PublicStatus.SUCCEEDED} else None

    async def _make(self, row: InvoiceRow) -> Job:
        """Have it made. Two who ask at once have it made twice, and the same."""
        name = f"invoice-{number_of(row)}.html"
        with acting.as_tenant(HOUSE.tenant):
            arrived = await self._uploads.receive(HOUSE, name, _one(page(row, number_of(row))))
            order = JobOrder((JobInput(upload=arrived.upload.id, source_format="html"),), to="pdf", tag=PREVIEW_TAG)
            job = await self._jobs.submit(HOUSE, order)
        async with self._database.write() as session:
            await session.execute(update(InvoiceRow).where(InvoiceRow.id == row.id).values(pdf_job=job.id))
        return job


async def _own(session: ReadSession, caller: Caller, invoice_id: str) -> InvoiceRow:
    row = None
    if is_id(invoice_id, INVOICE_PREFIX):
        query = select(InvoiceRow).where(InvoiceRow.id == invoice_id, InvoiceRow.tenant == caller.tenant)
        row = (await session.scalars(query)).one_or_none()
    if row is None:
        raise NotFound("There is no such invoice.")
    return row


async def _one(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _of_all(row: Any) -> MonthOfAll:
    month, tier, tenants, conversions, credits_spent, seconds, came, went = row
    whole = (int(tenants), int(conversions), int(credits_spent))
    return MonthOfAll(month, tier, *whole, float(seconds), int(came), int(went))
