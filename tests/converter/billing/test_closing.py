"""Months that are over, and the invoices of them: once each, to the cent, from the ledger."""

from __future__ import annotations

from dataclasses import replace

import pytest
from billingkit import PAID, PAYING, TIERS, convert, next_month
from sqlalchemy import delete, select, update

from filewright.converter.billing.closing import BOUGHT, Closing, bounds
from filewright.converter.billing.models import InvoiceRow
from filewright.converter.billing.nothing import NoBilling
from filewright.converter.billing.pricing import lines_of, shown
from filewright.converter.jobs.models import CreditRow, UsageMonthRow
from filewright.converter.tiers import LOCAL, Caller


@pytest.fixture
def closing(shop):
    return Closing(shop.database, shop.ids, TIERS, NoBilling())


async def buy(shop, tenant, amount, reason=BOUGHT):
    async with shop.database.write() as session:
        now = await shop.database.now(session)
        session.add(CreditRow(id=shop.ids.new("crd"), tenant=tenant, amount=amount, reason=reason, at=now))


async def all_of(shop, model):
    async with shop.database.read() as session:
        return list(await session.scalars(select(model).order_by(*model.__table__.primary_key)))


@pytest.mark.requirement("J1", "Q16")
async def test_a_month_with_use_is_closed_once_and_makes_one_invoice(shop, closing, clock):
    await buy(shop, "alice", 1000)
    await buy(shop, "alice", 7, reason="a gift")
    await convert(shop, PAYING, 3)
    assert await closing.run_once() == 0, "the month is not over"
    next_month(clock)
    assert await closing.run_once() == 1
    assert await closing.run_once() == 0
    (invoice,) = await all_of(shop, InvoiceRow)
    assert (invoice.tenant, invoice.month, invoice.currency, invoice.number) == ("alice", "2026-01", "EUR", 1)
    assert [(line["quantity"], line["unit_price"], line["amount"]) for line in invoice.lines] == [
        (1, "19", 1900),
        (1000, "0.008", 800),
    ]
    assert (invoice.total, invoice.status) == (2700, "made")
    assert "3 used" in invoice.lines[0]["description"]
    (month,) = await all_of(shop, UsageMonthRow)
    assert month.closed_at == clock.now()


async def test_who_owes_nothing_gets_no_invoice(shop, closing, clock):
    await convert(shop, Caller("bob", LOCAL))
    next_month(clock)
    assert await closing.run_once() == 1
    assert await all_of(shop, InvoiceRow) == []


async def test_numbers_of_invoices_have_no_gaps(shop, closing, clock):
    for name in ("alice", "bob", "carol"):
        await convert(shop, Caller(name, PAID))
    next_month(clock)
    await closing.run_once()
    assert sorted(invoice.number for invoice in await all_of(shop, InvoiceRow)) == [1, 2, 3]


async def test_sums_that_were_damaged_are_put_right_from_the_ledger(shop, closing, clock):
    await convert(shop, PAYING, 2)
    async with shop.database.write() as session:
        await session.execute(update(UsageMonthRow).values(conversions=99, input_bytes=1))
    next_month(clock)
    await closing.run_once()
    (month,) = await all_of(shop, UsageMonthRow)
    assert (month.conversions, month.input_bytes) == (2, 10)


async def test_what_only_the_ledger_knows_is_closed_too(shop, closing, clock):
    """As processes of the version before leave it."""
    await convert(shop, PAYING, 2)
    async with shop.database.write() as session:
        await session.execute(delete(UsageMonthRow))
    next_month(clock)
    await closing.run_once()
    (month,) = await all_of(shop, UsageMonthRow)
    assert (month.tenant, month.month, month.conversions) == ("alice", "2026-01", 2)
    assert month.closed_at is not None


def test_a_month_begins_and_ends_where_it_does():
    assert [moment.isoformat() for moment in bounds("2026-12")] == [
        "2026-12-01T00:00:00+00:00",
        "2027-01-01T00:00:00+00:00",
    ]
    assert bounds("2024-02")[1].isoformat() == "2024-03-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("price", "bought", "currency", "amount", "text"),
    [
        (0.008, 1, "EUR", 1, "0.01 EUR"),
        (0.01, 3, "EUR", 3, "0.03 EUR"),
        (0.125, 1, "EUR", 13, "0.13 EUR"),
        (1.5, 1000, "JPY", 1500, "1,500 JPY"),
        (0.1, 3, "USD", 30, "0.30 USD"),
    ],
)
def test_amounts_are_exact_to_the_smallest_coin(price, bought, currency, amount, text):
    tier = replace(PAID, price_per_extra_conversion=price)
    (line,) = lines_of(tier, month="2026-01", conversions=0, credits_bought=bought, currency=currency)
    assert line.amount == amount
    assert shown(line.amount, currency) == text
