"""Event streams: frames, heartbeat, the end."""

from __future__ import annotations

import asyncio

from filewright.chassis.web.drain import Drain
from filewright.chassis.web.sse import Event, event_stream


async def collect(events, drain, heartbeat):
    return b"".join([piece async for piece in event_stream(events, drain, heartbeat=heartbeat).body_iterator])


async def some(count):
    for n in range(count):
        yield Event(n, "state", {"text": "two\nlines"})


async def test_each_event_has_an_id_a_name_and_one_line_of_data():
    text = (await collect(some(2), Drain(), 15)).decode()
    assert 'id: 1\nevent: state\ndata: {"text":"two\\nlines"}\n\n' in text


async def test_a_silent_stream_beats_until_something_happens():
    happens = asyncio.Event()

    async def late():
        await happens.wait()
        yield Event(1, "done", {})

    asyncio.get_running_loop().call_later(0.2, happens.set)
    text = await collect(late(), Drain(), 0.02)
    assert text.count(b": still here\n\n") >= 2
    assert text.endswith(b"event: done\ndata: {}\n\n")


async def test_a_stream_ends_when_the_process_drains_and_lets_its_source_go():
    gone = []

    async def endless():
        try:
            await asyncio.Event().wait()
            yield Event(0, "never", None)
        finally:
            gone.append(True)

    drain = Drain()
    asyncio.get_running_loop().call_later(0.05, drain.begin)
    await asyncio.wait_for(collect(endless(), drain, 15), 2)
    assert gone == [True]
