"""Months that are over: their sums are held against the ledger once more, then closed, and an invoice is made.

Runs in upkeep, so in one process at a time. Each month of a tenant is one unit of work; a crash in between leaves it
open and it is closed at the next run. What a collector is told comes after, and is asked again until it is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import exists, func, select, update

from filewright.chassis.db.database import Database, WriteSession
from filewright.chassis.ids import IdSource
from filewright.chassis.telemetry.logs import get_logger
from filewright.converter.billing.models import InvoiceRow, PayerRow
from filewright.converter.billing.port import Bill, Billing, BillingFailed, Line, Sent
from filewright.converter.billing.pricing import lines_of
from filewright.converter.jobs.models import CreditRow, UsageMonthRow, UsageRow
from filewright.converter.tiers import Tiers

EVERY_SECONDS = 600.0
BATCH = 50
SETTLED = timedelta(hours=1)
"""How long after its end a month is closed: longer than any commit takes."""
BOUGHT = "bought"
"""The reason of credits that are paid for; others are gifts."""
_LOOKED_AT_ONCE = 20

log = get_logger(__name__)


class Closing:
    """`run_once` is for a loop."""

    def __init__(self, database: Database, ids: IdSource, tiers: Tiers, billing: Billing) -> None:
        self._database = database
        self._ids = ids
        self._tiers = tiers
        self._billing = billing
        self._searched = ""
        self._asked = ""

    async def run_once(self) -> int:
        """One batch; how many months were closed and bills sent. Raises DatabaseUnavailable."""
        async with self._database.read() as session:
            now = await self._database.now(session)
        open_month = f"{now - SETTLED:%Y-%m}"
        await self._find_forgotten(open_month)
        done = await self._close(open_month)
        if self._billing.name:
            done += await self._send()
            await self._ask()
        return done

    # --- months ----------------------------------------------------------------------------------------------------

    async def _find_forgotten(self, open_month: str) -> None:
        """What processes of the version before committed is in the ledger and in no sums."""
        before = _month_before(open_month)
        if self._searched == before:
            return
        began, ended = bounds(before)
        summed = exists().where(UsageMonthRow.tenant == UsageRow.tenant, UsageMonthRow.month == before)
        async with self._database.write() as session:
            tenants = await session.scalars(
                select(UsageRow.tenant).where(UsageRow.at >= began, UsageRow.at < ended, ~summed).distinct()
            )
            for tenant in tenants:
                session.add(UsageMonthRow(tenant=tenant, month=before, credits=0, tier="", **_NOTHING))
        self._searched = before

    async def _close(self, open_month: str) -> int:
        async with self._database.read() as session:
            waiting = await session.execute(
                select(UsageMonthRow.tenant, UsageMonthRow.month)
                .where(UsageMonthRow.month < open_month, UsageMonthRow.closed_at.is_(None))
                .order_by(UsageMonthRow.month, UsageMonthRow.tenant)
                .limit(BATCH)
            )
            found = waiting.all()
        for tenant, month in found:
            async with self._database.write() as session:
                await self._close_one(session, tenant, month)
        return len(found)

    async def _close_one(self, session: WriteSession, tenant: str, month: str) -> None:
        mine = (UsageMonthRow.tenant == tenant, UsageMonthRow.month == month, UsageMonthRow.closed_at.is_(None))
        row = (await session.scalars(select(UsageMonthRow).where(*mine).with_for_update())).one_or_none()
        if row is None:
            return
        sums = await _summed(session, tenant, month)
        kept = {name: getattr(row, name) for name in sums}
        if abs(kept["seconds"] - sums["seconds"]) > 0.001 or kept | {"seconds": 0} != sums | {"seconds": 0}:
            log.warning("month_put_right", month=month, kept=kept["conversions"], found=sums["conversions"])
        for name, value in sums.items():
            setattr(row, name, value)
        row.closed_at = await self._database.now(session)
        tier = self._tiers.named(row.tier)
        lines = lines_of(
            tier,
            month=month,
            conversions=row.conversions,
            credits_bought=await _bought(session, tenant, month),
            currency=self._tiers.currency,
        )
        if lines:
            await self._make_invoice(session, row, lines)

    async def _make_invoice(self, session: WriteSession, month: UsageMonthRow, lines: tuple[Line, ...]) -> None:
        last = (await session.scalars(select(func.max(InvoiceRow.number)))).one() or 0
        session.add(
            InvoiceRow(
                id=self._ids.new("inv"),
                tenant=month.tenant,
                month=month.month,
                number=last + 1,
                currency=self._tiers.currency,
                lines=[vars(line) for line in lines],
                total=sum(line.amount for line in lines),
                status="made",
                created_at=month.closed_at,
            )
        )
        log.info("invoice_made", number=last + 1, month=month.month)

    # --- the collector ---------------------------------------------------------------------------------------------

    async def _send(self) -> int:
        async with self._database.read() as session:
            found = await session.execute(
                select(InvoiceRow, PayerRow.reference)
                .outerjoin(
                    PayerRow,
                    (PayerRow.tenant == InvoiceRow.tenant) & (PayerRow.collector == self._billing.name),
                )
                .where(InvoiceRow.status == "made")
                .order_by(InvoiceRow.id)
                .limit(BATCH)
            )
            waiting = [(bill_of(row), payer) for row, payer in found]
        sent = 0
        for bill, payer in waiting:
            try:
                answer = await self._billing.send(bill, payer)
            except BillingFailed as error:
                log.warning("invoice_not_sent", number=bill.number, error=str(error))
                break  # the others would fare no better, and it is asked again soon
            await self._note(bill, answer)
            sent += 1
        return sent

    async def _note(self, bill: Bill, answer: Sent) -> None:
        async with self._database.write() as session:
            known = await session.get(PayerRow, (bill.tenant, self._billing.name))
            if known is None:
                now = await self._database.now(session)
                session.add(
                    PayerRow(tenant=bill.tenant, collector=self._billing.name, reference=answer.payer, created_at=now)
                )
            values = {"status": answer.status, "reference": answer.reference, "pay_url": answer.pay_url}
            statement = update(InvoiceRow).where(InvoiceRow.id == bill.id)
            await session.execute(statement.values(collector=self._billing.name, **values))

    async def _ask(self) -> None:
        """Some of those that are open, in turn: whether they were paid."""
        async with self._database.read() as session:
            query = select(InvoiceRow.id, InvoiceRow.reference).where(
                InvoiceRow.status == "open", InvoiceRow.collector == self._billing.name, InvoiceRow.id > self._asked
            )
            found = (await session.execute(query.order_by(InvoiceRow.id).limit(_LOOKED_AT_ONCE))).all()
        self._asked = found[-1].id if len(found) == _LOOKED_AT_ONCE else ""
        for invoice_id, reference in found:
            try:
                status = await self._billing.status(str(reference))
            except BillingFailed as error:
                log.info("invoice_not_asked_for", error=str(error))
                return
            if status != "open":
                async with self._database.write() as session:
                    await session.execute(update(InvoiceRow).where(InvoiceRow.id == invoice_id).values(status=status))


def bill_of(row: InvoiceRow) -> Bill:
    """The invoice as others are told of it."""
    lines = tuple(Line(**line) for line in row.lines)
    return Bill(row.id, number_of(row), row.tenant, row.month, row.currency, lines)


def number_of(row: InvoiceRow) -> str:
    """As people quote it."""
    return f"FW-{row.number:06d}"


def bounds(month: str) -> tuple[datetime, datetime]:
    """Its first moment, and the first that is not in it."""
    began = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    return began, (began + timedelta(days=32)).replace(day=1)


def _month_before(month: str) -> str:
    return f"{bounds(month)[0] - timedelta(days=1):%Y-%m}"


_NOTHING: Mapping[str, Any] = {"conversions": 0, "seconds": 0.0, "input_bytes": 0, "output_bytes": 0}


async def _summed(session: WriteSession, tenant: str, month: str) -> dict[str, Any]:
    """What the ledger says."""
    began, ended = bounds(month)
    sums = (UsageRow.seconds, UsageRow.input_bytes, UsageRow.output_bytes)
    row = (
        await session.execute(
            select(func.count(), *(func.coalesce(func.sum(column), 0) for column in sums)).where(
                UsageRow.tenant == tenant, UsageRow.at >= began, UsageRow.at < ended
            )
        )
    ).one()
    return {"conversions": row[0], "seconds": float(row[1]), "input_bytes": int(row[2]), "output_bytes": int(row[3])}


async def _bought(session: WriteSession, tenant: str, month: str) -> int:
    began, ended = bounds(month)
    total = select(func.coalesce(func.sum(CreditRow.amount), 0)).where(
        CreditRow.tenant == tenant, CreditRow.reason == BOUGHT, CreditRow.at >= began, CreditRow.at < ended
    )
    return int((await session.scalars(total)).one())
