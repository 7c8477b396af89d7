"""A body must keep coming, or its connection is not kept open for it."""

from __future__ import annotations

import asyncio

import pytest

from filewright.chassis.testing.clock import FakeClock
from filewright.chassis.web.middleware import RequestLimits
from filewright.chassis.web.problems import RequestTimeout

pytestmark = pytest.mark.requirement("S15")
SCOPE = {"type": "http", "method": "POST", "raw_path": b"/v1/uploads", "query_string": b"", "headers": []}


async def read_all(receive):
    taken = 0
    while True:
        message = await receive()
        taken += len(message["body"])
        if not message["more_body"]:
            return taken


def limited(clock, taken, **limits):
    async def app(_scope, receive, _send):
        taken.append(await read_all(receive))

    return RequestLimits(app, clock, **limits)


def trickle(clock, pieces, size, every):
    """So many pieces of that size, one every so many seconds of the clock."""
    left = iter(range(pieces - 1, -1, -1))

    async def receive():
        await clock.advance(every)
        return {"type": "http.request", "body": b"x" * size, "more_body": next(left) > 0}

    return receive


async def test_a_body_that_trickles_is_cut_after_the_time_of_grace():
    clock, taken = FakeClock(), []
    with pytest.raises(RequestTimeout, match="more slowly than 512 bytes a second"):
        await limited(clock, taken)(SCOPE, trickle(clock, 10_000, 1, every=1), None)
    assert clock.monotonic() <= 35
    assert taken == []


async def test_a_body_that_is_slow_and_steady_is_taken():
    clock, taken = FakeClock(), []
    await limited(clock, taken)(SCOPE, trickle(clock, 300, 600, every=1), None)
    assert taken == [180_000]


async def test_a_body_that_stops_coming_is_not_waited_for():
    taken = []
    with pytest.raises(RequestTimeout, match="No byte of the body"):
        await limited(FakeClock(), taken, idle_seconds=0.01)(SCOPE, asyncio.Event().wait, None)
    assert taken == []
