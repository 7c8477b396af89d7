"""Every API process and every worker of the product is replaced while it works at 70 % of what it can do."""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from collections.abc import Callable

import pytest
from stackkit.load import Load, coming
from stackkit.trying import Tried

from filewright.stack.layout import Layout
from filewright.stack.roles import ROLES

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.alone, pytest.mark.long]

SHARE = 0.7
LOOKS = 10.0
ROUNDS = 2


@pytest.mark.requirement("Q11")
def test_no_request_and_no_job_fails_while_all_is_replaced(
    make: Callable[..., Tried], record_property: Callable[[str, object], None]
):
    tried = make(roles=ROLES)
    tried.stack.up({"api": 2, "worker": 2, "beat": 2}, slots=1)
    load, before = Load(tried.url), pids(tried)
    capacity = asyncio.run(calibrated(load))
    assert load.wrong == []
    load.begin()
    began = time.monotonic()
    with coming(load, SHARE * capacity, LOOKS):
        for _ in range(ROUNDS):
            tried.stack.restart(["api", "worker", "beat"], rolling=True)
        took = time.monotonic() - began
    figures = {
        "capacity_jobs_per_second": round(capacity, 2),
        "share_asked": round(load.came / took / capacity, 2),
        "seconds": round(took, 1),
        "requests": load.requests,
        "jobs": load.jobs,
        "median_seconds": round(statistics.median(load.seconds), 2),
        "slowest_seconds": round(max(load.seconds), 2),
    }
    for name, value in figures.items():
        record_property(name, value)
        print(f"{name}: {value}")
    assert load.wrong == [], "\n".join([*load.wrong[:20], "", *complaints(tried)])
    assert load.jobs == load.came > 20
    after = pids(tried)
    replaced = {name for name in before if before[name] != after[name]}
    assert replaced == {"api-1", "api-2", "worker-1", "worker-2", "beat-1", "beat-2"}


async def calibrated(load: Load) -> float:
    """What it can do, once whatever is slow the first time is over."""
    await load.capacity(6, 8)
    return await load.capacity(6, 15)


def complaints(tried: Tried) -> list[str]:
    """What its processes had to say lately that they do not say every day."""
    lines = [line for log in Layout(tried.data).log_files() for line in log.read_text(errors="replace").splitlines()]
    return [line[:600] for line in lines if re.search('"level": ?"(warning|error|critical)"', line)][-60:]


def pids(tried: Tried) -> dict[str, int | None]:
    return {row.name: row.pid for row in tried.stack.status().rows}
