"""Every API process and every worker of the product is replaced while it works at 70 % of what it can do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from stackkit.load import Load
from stackkit.trying import Tried

from filewright.stack.roles import ROLES

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.alone, pytest.mark.long]

SHARE = 0.7
LOOKS = 10.0


@pytest.mark.requirement("Q11")
async def test_no_request_and_no_job_fails_while_all_is_replaced(
    make: Callable[..., Tried], record_property: Callable[[str, object], None]
):
    tried = make(roles=ROLES)
    await asyncio.to_thread(tried.stack.up, {"api": 2, "worker": 2, "beat": 2}, slots=1)
    load = Load(tried.url)
    await load.capacity(2, 2)  # whatever is slow the first time
    capacity = await load.capacity(6, 15)
    assert load.wrong == []
    before = {row.name: row.pid for row in tried.stack.status().rows}
    load.jobs, load.requests, stop = 0, 0, asyncio.Event()
    load.seconds.clear()
    callers = asyncio.create_task(load.steady(SHARE * capacity, LOOKS, stop))
    for _ in range(2):
        await asyncio.to_thread(tried.stack.restart, ["api", "worker", "beat"], rolling=True)
    stop.set()
    await callers
    after = {row.name: row.pid for row in tried.stack.status().rows}
    for name, value in {
        "capacity_jobs_per_second": round(capacity, 2),
        "requests": load.requests,
        "jobs": load.jobs,
        "slowest_seconds": round(max(load.seconds), 2),
    }.items():
        record_property(name, value)
        print(f"{name}: {value}")
    assert load.wrong == []
    assert load.jobs > 20
    replaced = {name for name in before if before[name] != after[name]}
    assert replaced == {"api-1", "api-2", "worker-1", "worker-2", "beat-1", "beat-2"}
