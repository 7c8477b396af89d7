"""Tiers that cost something, and months that go by."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from filewright.converter.tiers import ANONYMOUS, LOCAL, Caller, Tiers

PAID = replace(LOCAL, name="premium", monthly_conversions=1000, monthly_price=19, price_per_extra_conversion=0.008)
TIERS = Tiers({tier.name: tier for tier in (LOCAL, ANONYMOUS, PAID)}, "EUR")
PAYING = Caller("alice", PAID)


async def convert(shop, caller, times=1):
    for _ in range(times):
        await shop.order(caller=caller)
        assert await shop.work() == "succeeded"


def next_month(clock):
    clock.move(timedelta(days=31, hours=2).total_seconds())
