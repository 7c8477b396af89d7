"""A connection that is closed stays closed, also for who was asking at that moment."""

import asyncio

import pytest
from redis.exceptions import ConnectionError as BrokenConnection

from filewright.chassis.coordination.kept_connection import KeptConnection
from filewright.chassis.coordination.redis_address import RedisAddress, let_go

pytestmark = pytest.mark.redis


async def test_closed_under_a_command_it_answers_that_and_none_after(mortal_redis):
    client = RedisAddress.parse(mortal_redis.url()).client()
    ask = KeptConnection(client)
    asking = asyncio.create_task(ask("BLPOP", "list", "5"))
    await asyncio.to_thread(mortal_redis.until_clients, "blocked_clients", 1)
    closing = asyncio.create_task(ask.close())
    late = asyncio.create_task(ask("PING"))
    await asyncio.to_thread(mortal_redis.do, "LPUSH", "list", "word")
    assert await asking == [b"list", b"word"]
    await closing
    with pytest.raises(BrokenConnection):
        await late
    await let_go(client)
    await asyncio.to_thread(mortal_redis.until_clients, "connected_clients", 1)
