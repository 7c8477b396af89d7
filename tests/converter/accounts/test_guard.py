"""Guessing at scale: a hundred accounts from a hundred networks."""

from __future__ import annotations

import ipaddress
from collections import Counter

import pytest

from filewright.chassis.quota.memory import MemoryLimiter
from filewright.chassis.testing.clock import FakeClock
from filewright.chassis.web.throttling import RateLimited
from filewright.converter.accounts.guard import ACCOUNT, KNOWN_PLACE, NETWORK, Guard

HOME = ipaddress.ip_address("203.0.113.9")
VICTIM = "person7@example.org"


class Remembering(Guard):
    """Knows one account at one place, without a database."""

    async def _is_known(self, email, place):
        return (email, place) == (VICTIM, str(HOME))


@pytest.mark.requirement("S11")
async def test_ten_thousand_tries_of_a_hundred_networks_at_a_hundred_accounts_end_at_the_caps():
    clock = FakeClock()
    guard, let_in = Remembering(MemoryLimiter(clock), None), Counter()
    for number in range(10_000):
        account, network = f"person{number % 100}@example.org", ipaddress.ip_address(f"198.51.100.{number // 100}")
        try:
            await guard.try_password(account, network)
        except RateLimited:
            continue
        let_in.update([account, network])
    assert max(count for name, count in let_in.items() if isinstance(name, str)) <= ACCOUNT.count
    assert max(count for name, count in let_in.items() if not isinstance(name, str)) <= NETWORK.count
    assert sum(let_in.values()) <= 2 * 100 * ACCOUNT.count
    for _ in range(KNOWN_PLACE.count):
        await guard.try_password(VICTIM, HOME)
